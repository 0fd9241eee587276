-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: conversation
-- What the copies of a broadcast say, once for all of them.
CREATE TABLE broadcast_content (
  municipality_id bigint NOT NULL,
  broadcast_id bigint NOT NULL,
  text text NOT NULL, -- of the template, filled in
  detail jsonb NOT NULL,
  free text NOT NULL, -- of those that are sent as text
  PRIMARY KEY (municipality_id, broadcast_id)
);

CREATE INDEX message_broadcast ON message (municipality_id, broadcast_id, status, message_id) WHERE broadcast_id <> 0;
-- What is parked has an index of its own: the outbox's stays short, and a hundred thousand copies are
-- prepared faster.
DROP INDEX message_queued;
CREATE INDEX message_queued ON message (municipality_id, number, lane, next_at, message_id) WHERE status = 10 AND lane >= 0;
CREATE INDEX message_parked ON message (municipality_id, broadcast_id, number, message_id) WHERE status = 10 AND lane < 0;

-- Operators' templates, which count in Meta's daily limit.
CREATE INDEX message_template ON message (municipality_id, created_at) WHERE type = 'template' AND lane = 1;
