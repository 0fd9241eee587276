-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: conversation
-- SQLite preferred any other index of the citizen's, which has all revisions there ever were.
DROP INDEX revision_waiting;
CREATE INDEX revision_waiting ON revision (municipality_id, applied, contact_id);

-- Statuses of messages that are none of ours are forgotten by their age.
CREATE INDEX status_early_age ON status_early (municipality_id, created_at);
