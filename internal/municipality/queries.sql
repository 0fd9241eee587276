-- SPDX-License-Identifier: AGPL-3.0-or-later

-- name: Versions :many
SELECT municipality_id, version FROM municipality ORDER BY municipality_id;

-- name: BySlug :one
SELECT municipality_id FROM municipality WHERE slug = $1;

-- name: Add :execrows
INSERT INTO municipality (municipality_id, slug, name, file, version, created_at, updated_at)
VALUES (@municipality_id, @slug, @name, @file, 1, @now, @now)
ON CONFLICT (slug) DO NOTHING;

-- name: Update :execrows
UPDATE municipality SET name = @name, file = @file, version = version + 1, updated_at = @updated_at
WHERE municipality_id = @municipality_id AND version = @was;

-- name: Touch :exec
UPDATE municipality SET version = version + 1 WHERE municipality_id = $1;

-- The number is unique in the installation: another municipality's is not touched, and counts 0 rows.

-- name: SaveNumber :execrows
INSERT INTO number (municipality_id, phone_number_id, waba_id, office, display, e164, position, retired, access_token, app_secret, verify_token)
VALUES ($1, $2, $3, $4, $5, $6, $7, false, $8, $9, $10)
ON CONFLICT (phone_number_id) DO UPDATE SET
  waba_id = excluded.waba_id, office = excluded.office, display = excluded.display, e164 = excluded.e164,
  position = excluded.position, retired = false,
  access_token = excluded.access_token, app_secret = excluded.app_secret, verify_token = excluded.verify_token
WHERE number.municipality_id = excluded.municipality_id;

-- name: RetireNumber :exec
UPDATE number SET retired = true, access_token = @nothing, app_secret = @nothing, verify_token = @nothing
WHERE municipality_id = @municipality_id AND phone_number_id = @phone_number_id;

-- name: SetNumberHealth :execrows
UPDATE number SET throughput = @throughput, quality = @quality, messaging_limit = @messaging_limit, checked_at = @checked_at
WHERE municipality_id = @municipality_id AND phone_number_id = @phone_number_id;

-- name: NumberHealth :one
SELECT throughput, quality, messaging_limit FROM number WHERE municipality_id = $1 AND phone_number_id = $2;

-- name: Templates :many
SELECT * FROM template WHERE municipality_id = $1 ORDER BY name, language, waba_id;

-- name: TemplatesOf :many
SELECT * FROM template WHERE municipality_id = $1 AND waba_id = $2;

-- name: Template :one
SELECT * FROM template WHERE municipality_id = $1 AND waba_id = $2 AND name = $3 AND language = $4;

-- name: SetTemplate :exec
UPDATE template SET status = @status, category = @category, quality = @quality, components = @components
WHERE municipality_id = @municipality_id AND waba_id = @waba_id AND name = @name AND language = @language;
