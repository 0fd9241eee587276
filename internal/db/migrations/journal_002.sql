-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: journal
-- What waits to be processed stands in a small table of its own: an entry is written once, and never again because it
-- was processed.
CREATE TABLE journal_waiting (
  municipality_id bigint NOT NULL,
  entry_id bigint NOT NULL,
  received_at timestamptz NOT NULL,
  size integer NOT NULL, -- of the body in bytes
  replayed boolean NOT NULL DEFAULT false, -- to be looked at again after quarantine
  PRIMARY KEY (entry_id, municipality_id) -- one queue of all municipalities: the oldest goes first
);
INSERT INTO journal_waiting (municipality_id, entry_id, received_at, size, replayed)
  SELECT municipality_id, entry_id, received_at, length(body), replayed FROM journal WHERE done_at IS NULL;
DROP INDEX journal_pending;
ALTER TABLE journal DROP COLUMN done_at;
ALTER TABLE journal DROP COLUMN replayed;
