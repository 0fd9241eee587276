-- SPDX-License-Identifier: AGPL-3.0-or-later

-- name: Media :one
SELECT * FROM media WHERE municipality_id = $1 AND media_id = $2;

-- name: Add :exec
INSERT INTO media (municipality_id, media_id, direction, mime, name, size, sha256, state, width, height, duration_ms, thumbnail, created_at)
VALUES ($1, $2, 'out', $3, $4, $5, $6, 'ready', $7, $8, $9, $10, $11);

-- name: SetReady :execrows
UPDATE media SET state = 'ready', mime = @mime, size = @size, sha256 = @sha256, width = @width, height = @height,
  duration_ms = @duration_ms, thumbnail = @thumbnail, url = ''
WHERE municipality_id = @municipality_id AND media_id = @media_id AND state = 'pending';

-- name: SetEnded :execrows
UPDATE media SET state = @state, reason = @reason, url = ''
WHERE municipality_id = @municipality_id AND media_id = @media_id AND state = 'pending';

-- name: SetUploaded :exec
UPDATE media SET uploaded_id = @uploaded_id, uploaded_for = @uploaded_for, uploaded_until = @uploaded_until
WHERE municipality_id = @municipality_id AND media_id = @media_id;
