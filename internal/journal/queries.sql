-- SPDX-License-Identifier: AGPL-3.0-or-later

-- name: Unsolved :many
SELECT quarantine_id, entry_id, reason, place, detail, CAST(substr(body, 1, 16384) AS text) AS body, at, replayed_at, solved_at FROM quarantine
WHERE municipality_id = @municipality_id AND solved_at IS NULL AND quarantine_id < CAST(@before AS bigint)
ORDER BY quarantine_id DESC LIMIT @page;

-- name: Item :one
SELECT * FROM quarantine WHERE municipality_id = $1 AND quarantine_id = $2;

-- name: AskReplay :execrows
UPDATE quarantine SET replayed_at = @at
WHERE municipality_id = @municipality_id AND quarantine_id = @quarantine_id AND solved_at IS NULL;

-- name: ReplayEntry :execrows
INSERT INTO journal_waiting (municipality_id, entry_id, received_at, size, replayed)
SELECT j.municipality_id, j.entry_id, j.received_at, length(j.body), true FROM journal j WHERE j.municipality_id = $1 AND j.entry_id = $2
ON CONFLICT (entry_id, municipality_id) DO UPDATE SET replayed = true;

-- name: DropProcessed :execrows
DELETE FROM journal WHERE journal.municipality_id = @municipality_id AND journal.entry_id IN (
  SELECT j.entry_id FROM journal j
  WHERE j.municipality_id = @municipality_id AND j.entry_id < CAST(@before AS bigint) AND (NOT j.kept OR j.entry_id < CAST(@kept_before AS bigint))
  AND NOT EXISTS (SELECT 1 FROM journal_waiting w WHERE w.entry_id = j.entry_id AND w.municipality_id = j.municipality_id)
  ORDER BY j.entry_id LIMIT @slice);

-- name: DropQuarantined :execrows
DELETE FROM quarantine WHERE municipality_id = @municipality_id AND (quarantine_id < CAST(@before AS bigint) OR (solved_at IS NOT NULL AND quarantine_id < CAST(@solved_before AS bigint)));

-- name: Oldest :one
SELECT received_at FROM journal_waiting ORDER BY entry_id LIMIT 1;
