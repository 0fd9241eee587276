-- SPDX-License-Identifier: AGPL-3.0-or-later

-- name: Contact :one
SELECT * FROM contact WHERE municipality_id = $1 AND contact_id = $2;

-- Sorted by an expression: SQLite would walk the primary key of all citizens to have the kinds in order.
-- name: Addresses :many
SELECT kind, value, since, until FROM contact_address
WHERE municipality_id = $1 AND contact_id = $2
ORDER BY kind || '', since DESC, value;

-- name: Owner :one
SELECT contact_id FROM contact_address WHERE municipality_id = $1 AND kind = $2 AND value = $3;

-- name: Rename :execrows
UPDATE contact SET name = @name, named_by_staff = true, updated_at = @updated_at
WHERE municipality_id = @municipality_id AND contact_id = @contact_id;

-- name: SetNote :execrows
UPDATE contact SET note = @note, updated_at = @updated_at
WHERE municipality_id = @municipality_id AND contact_id = @contact_id;

-- name: MoveAddresses :exec
UPDATE contact_address SET contact_id = @target
WHERE municipality_id = @municipality_id AND contact_id = @contact_id;

-- name: MarkMerged :exec
UPDATE contact SET merged_into = @target, updated_at = @updated_at
WHERE municipality_id = @municipality_id AND contact_id = @contact_id;

-- name: MoveMerged :exec
UPDATE contact SET merged_into = @target, updated_at = @updated_at
WHERE municipality_id = @municipality_id AND merged_into = @contact_id AND merged_into <> 0;

-- name: KeepWhatWasKnown :exec
UPDATE contact SET
  name = CASE WHEN contact.name = '' OR (NOT contact.named_by_staff AND (CAST(@named_by_staff AS boolean) OR (CAST(@name AS text) <> ''
    AND (contact.name_at IS NULL OR contact.name_at < sqlc.narg(name_at) OR (contact.name_at = sqlc.narg(name_at) AND contact.name < CAST(@name AS text)))))) THEN CAST(@name AS text) ELSE contact.name END,
  name_at = CASE WHEN contact.name = '' OR (NOT contact.named_by_staff AND (CAST(@named_by_staff AS boolean) OR (CAST(@name AS text) <> ''
    AND (contact.name_at IS NULL OR contact.name_at < sqlc.narg(name_at) OR (contact.name_at = sqlc.narg(name_at) AND contact.name < CAST(@name AS text)))))) THEN sqlc.narg(name_at) ELSE contact.name_at END,
  named_by_staff = contact.named_by_staff OR CAST(@named_by_staff AS boolean),
  username = CASE WHEN CAST(@username AS text) <> '' AND (contact.username = '' OR contact.username_at IS NULL OR contact.username_at < sqlc.narg(username_at)
    OR (contact.username_at = sqlc.narg(username_at) AND contact.username < CAST(@username AS text))) THEN CAST(@username AS text) ELSE contact.username END,
  username_at = CASE WHEN CAST(@username AS text) <> '' AND (contact.username = '' OR contact.username_at IS NULL OR contact.username_at < sqlc.narg(username_at)
    OR (contact.username_at = sqlc.narg(username_at) AND contact.username < CAST(@username AS text))) THEN sqlc.narg(username_at) ELSE contact.username_at END,
  phone = CASE WHEN CAST(@phone AS text) <> '' AND (contact.phone = '' OR contact.phone_at IS NULL OR contact.phone_at < sqlc.narg(phone_at)
    OR (contact.phone_at = sqlc.narg(phone_at) AND contact.phone < CAST(@phone AS text))) THEN CAST(@phone AS text) ELSE contact.phone END,
  phone_at = CASE WHEN CAST(@phone AS text) <> '' AND (contact.phone = '' OR contact.phone_at IS NULL OR contact.phone_at < sqlc.narg(phone_at)
    OR (contact.phone_at = sqlc.narg(phone_at) AND contact.phone < CAST(@phone AS text))) THEN sqlc.narg(phone_at) ELSE contact.phone_at END,
  user_id = CASE WHEN CAST(@user_id AS text) <> '' AND (contact.user_id = '' OR contact.user_id_at IS NULL OR contact.user_id_at < sqlc.narg(user_id_at)
    OR (contact.user_id_at = sqlc.narg(user_id_at) AND contact.user_id < CAST(@user_id AS text))) THEN CAST(@user_id AS text) ELSE contact.user_id END,
  user_id_at = CASE WHEN CAST(@user_id AS text) <> '' AND (contact.user_id = '' OR contact.user_id_at IS NULL OR contact.user_id_at < sqlc.narg(user_id_at)
    OR (contact.user_id_at = sqlc.narg(user_id_at) AND contact.user_id < CAST(@user_id AS text))) THEN sqlc.narg(user_id_at) ELSE contact.user_id_at END,
  note = CASE WHEN contact.note = '' OR contact.note = CAST(@note AS text) THEN CAST(@note AS text)
    WHEN CAST(@note AS text) = '' THEN contact.note
    ELSE contact.note || CAST(@new_line AS text) || CAST(@note AS text) END,
  updated_at = @updated_at
WHERE municipality_id = @municipality_id AND contact_id = @contact_id;
