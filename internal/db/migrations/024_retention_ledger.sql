-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: conversation
-- What became of the copies of a broadcast that were deleted since: with those that are left they are still everybody.
CREATE TABLE copies_deleted (
  municipality_id bigint NOT NULL,
  broadcast_id bigint NOT NULL, -- as in message
  status smallint NOT NULL,
  error_code integer NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (municipality_id, broadcast_id, status, error_code)
);
CREATE INDEX message_media ON message (municipality_id, media_id, message_id) WHERE media_id <> 0;
CREATE INDEX draft_age ON draft (municipality_id, updated_at);
