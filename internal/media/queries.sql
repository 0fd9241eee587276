-- SPDX-License-Identifier: AGPL-3.0-or-later

-- Only what is pending is settled: a second run of the job, or a second instance, changes nothing.

-- name: Settle :execrows
UPDATE media SET
  state = @state, reason = @reason, mime = @mime, size = @size, sha256 = @sha256, width = @width, height = @height,
  duration_ms = @duration_ms, thumbnail = @thumbnail, url = ''
WHERE municipality_id = @municipality_id AND media_id = @media_id AND state = 'pending';

-- name: RememberUpload :exec
INSERT INTO media_upload (municipality_id, media_id, number, external_id, until)
VALUES (@municipality_id, @media_id, @number, @external_id, @until)
ON CONFLICT (municipality_id, media_id, number) DO UPDATE SET external_id = excluded.external_id, until = excluded.until;
