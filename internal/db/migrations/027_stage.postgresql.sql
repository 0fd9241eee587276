-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: conversation
-- The state of a message as far as the indexes care: while it is on its way (40) or has arrived (70), what Meta tells
-- further changes none of them, and PostgreSQL changes the row in its place, if there is room beside it. No index may
-- hold status itself, or any other column that a receipt changes.
ALTER TABLE message ADD COLUMN stage smallint NOT NULL GENERATED ALWAYS AS (CASE WHEN status IN (41, 50) THEN 40 WHEN status IN (80, 90) THEN 70 ELSE status END) STORED;
ALTER TABLE message SET (fillfactor = 85);
DROP INDEX message_queued;
DROP INDEX message_parked;
DROP INDEX message_turn;
DROP INDEX message_unsettled;
DROP INDEX message_broadcast;
CREATE INDEX message_queued ON message (municipality_id, number, lane, next_at, message_id) WHERE stage = 10 AND lane >= 0;
CREATE INDEX message_parked ON message (municipality_id, broadcast_id, number, message_id) WHERE stage = 10 AND lane < 0;
CREATE INDEX message_turn ON message (municipality_id, contact_id, number, message_id) WHERE stage IN (10, 20);
CREATE INDEX message_unsettled ON message (municipality_id, stage, sending_at) WHERE stage IN (20, 30);
CREATE INDEX message_broadcast ON message (municipality_id, broadcast_id, stage, message_id) WHERE broadcast_id <> 0;
