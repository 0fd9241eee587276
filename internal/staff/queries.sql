-- SPDX-License-Identifier: AGPL-3.0-or-later

-- Accounts. An account is one person's in the whole installation; a membership ties it to a municipality.

-- name: AddAccount :execrows
INSERT INTO staff (staff_id, email, name, password, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (email) DO NOTHING;

-- name: Account :one
SELECT * FROM staff WHERE staff_id = $1;

-- name: AccountByEmail :one
SELECT * FROM staff WHERE email = $1;

-- name: SetPassword :execrows
UPDATE staff SET password = @password WHERE staff_id = @staff_id;

-- name: SetDisabled :execrows
UPDATE staff SET disabled = @disabled WHERE staff_id = @staff_id;

-- name: SetSeen :exec
UPDATE staff SET seen_at = @seen_at WHERE staff_id = @staff_id;

-- name: SetPreferences :execrows
UPDATE staff SET preferences = @preferences WHERE staff_id = @staff_id;

-- Memberships.

-- name: AddMembership :execrows
INSERT INTO membership (municipality_id, staff_id, role, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (municipality_id, staff_id) DO NOTHING;

-- name: Membership :one
SELECT s.staff_id, s.name, s.disabled, m.role
FROM membership m JOIN staff s ON s.staff_id = m.staff_id
WHERE m.municipality_id = $1 AND m.staff_id = $2;

-- name: SetRole :execrows
UPDATE membership SET role = @role WHERE municipality_id = @municipality_id AND staff_id = @staff_id;

-- name: RemoveMembership :execrows
DELETE FROM membership WHERE municipality_id = $1 AND staff_id = $2;

-- name: MunicipalitiesOf :many
SELECT municipality_id FROM membership WHERE staff_id = $1 ORDER BY municipality_id;

-- name: Members :many
SELECT s.staff_id, s.email, s.name, s.password, s.preferences, s.disabled, s.created_at, s.seen_at, m.role
FROM membership m JOIN staff s ON s.staff_id = m.staff_id
WHERE m.municipality_id = $1
ORDER BY s.name, s.staff_id;

-- name: LockAdministrators :exec
UPDATE membership SET role = role WHERE municipality_id = $1 AND role = 'administrator';

-- name: OtherAdministrators :one
SELECT count(*) FROM membership m JOIN staff s ON s.staff_id = m.staff_id
WHERE m.municipality_id = $1 AND m.role = 'administrator' AND NOT s.disabled AND m.staff_id <> $2;

-- name: OfficesOf :many
SELECT office FROM membership_office WHERE municipality_id = $1 AND staff_id = $2 ORDER BY office;

-- name: MemberOffices :many
SELECT staff_id, office FROM membership_office WHERE municipality_id = $1 ORDER BY staff_id, office;

-- name: AddOffice :exec
INSERT INTO membership_office (municipality_id, staff_id, office) VALUES ($1, $2, $3)
ON CONFLICT (municipality_id, staff_id, office) DO NOTHING;

-- name: ClearOffices :exec
DELETE FROM membership_office WHERE municipality_id = $1 AND staff_id = $2;

-- Sessions.

-- name: FindSession :one
SELECT data FROM session WHERE token = @token AND NOT ended AND expires_at > @now;

-- name: SaveSession :exec
INSERT INTO session (token, staff_id, data, ended, expires_at) VALUES ($1, $2, $3, false, $4)
ON CONFLICT (token) DO UPDATE SET staff_id = excluded.staff_id, data = excluded.data, expires_at = excluded.expires_at
WHERE NOT session.ended;

-- name: EndSession :exec
UPDATE session SET ended = true, data = @nothing WHERE token = @token;

-- name: EndSessionsOf :exec
UPDATE session SET ended = true, data = @nothing WHERE staff_id = @staff_id AND NOT ended;

-- name: SweepSessions :exec
DELETE FROM session WHERE expires_at <= $1;

-- Invitations.

-- name: AddInvitation :exec
INSERT INTO invitation (token, staff_id, expires_at) VALUES ($1, $2, $3);

-- name: Invitation :one
SELECT staff_id FROM invitation WHERE token = @token AND expires_at > @now;

-- name: UseInvitation :execrows
DELETE FROM invitation WHERE token = @token AND expires_at > @now;

-- name: DropInvitations :exec
DELETE FROM invitation WHERE staff_id = $1;

-- name: SweepInvitations :exec
DELETE FROM invitation WHERE expires_at <= $1;

-- Attempts to sign in. The row decides, so attempts at once cannot pass where one after the other would not.

-- name: CountAttempt :one
INSERT INTO signin_attempt (subject, failures, latest, blocked_until) VALUES (@subject, 1, @now, @now)
ON CONFLICT (subject) DO UPDATE SET
  failures = CASE WHEN signin_attempt.latest < @forget THEN 1 ELSE signin_attempt.failures + 1 END,
  latest = excluded.latest
WHERE signin_attempt.blocked_until <= excluded.latest
RETURNING failures;

-- name: BlockedUntil :one
SELECT blocked_until FROM signin_attempt WHERE subject = $1;

-- name: BlockAttempts :exec
UPDATE signin_attempt SET blocked_until = @blocked_until WHERE subject = @subject;

-- name: MarkAttempt :exec
UPDATE signin_attempt SET latest = @latest WHERE subject = @subject;

-- name: ForgiveAttempt :exec
UPDATE signin_attempt SET failures = failures - 1 WHERE subject = $1 AND failures > 0;

-- name: ForgetAttempts :exec
DELETE FROM signin_attempt WHERE subject = $1;

-- name: SweepAttempts :exec
DELETE FROM signin_attempt WHERE latest < $1;

-- Tokens.

-- name: AddToken :exec
INSERT INTO token (municipality_id, token_id, name, hash, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: AddTokenOffice :exec
INSERT INTO token_office (municipality_id, token_id, office) VALUES ($1, $2, $3)
ON CONFLICT (municipality_id, token_id, office) DO NOTHING;

-- name: TokenByHash :one
SELECT municipality_id, token_id, name, used_at FROM token WHERE hash = $1 AND revoked_at IS NULL;

-- name: Tokens :many
SELECT token_id, name, created_at, used_at, revoked_at FROM token WHERE municipality_id = $1 ORDER BY created_at, token_id;

-- name: TokenOffices :many
SELECT token_id, office FROM token_office WHERE municipality_id = $1 ORDER BY token_id, office;

-- name: OfficesOfToken :many
SELECT office FROM token_office WHERE municipality_id = $1 AND token_id = $2 ORDER BY office;

-- name: TouchToken :exec
UPDATE token SET used_at = @used_at WHERE municipality_id = @municipality_id AND token_id = @token_id;

-- name: RevokeToken :execrows
UPDATE token SET revoked_at = @revoked_at
WHERE municipality_id = @municipality_id AND token_id = @token_id AND revoked_at IS NULL;

-- Idempotency.

-- name: ForgetKey :exec
DELETE FROM idempotency
WHERE municipality_id = @municipality_id AND token_id = @token_id AND key = @key AND created_at < @before;

-- name: BeginKey :execrows
INSERT INTO idempotency (municipality_id, token_id, key, body_hash, status, response, created_at)
VALUES ($1, $2, $3, $4, 0, $5, $6)
ON CONFLICT (municipality_id, token_id, key) DO NOTHING;

-- name: FindKey :one
SELECT body_hash, status, response FROM idempotency
WHERE municipality_id = $1 AND token_id = $2 AND key = $3;

-- name: FinishKey :execrows
UPDATE idempotency SET status = @status, response = @response
WHERE municipality_id = @municipality_id AND token_id = @token_id AND key = @key AND status = 0;

-- name: SweepKeys :exec
DELETE FROM idempotency WHERE created_at < $1;

-- Audit.

-- name: AddAudit :exec
INSERT INTO audit (municipality_id, audit_id, at, actor_kind, actor_id, actor_name, action, object_kind, object_id, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: UnsealedMunicipalities :many
SELECT DISTINCT municipality_id FROM audit WHERE seq = 0 ORDER BY municipality_id;

-- name: Unsealed :many
SELECT * FROM audit WHERE municipality_id = $1 AND seq = 0 ORDER BY audit_id LIMIT $2;

-- name: AuditHead :one
SELECT seq, hash FROM audit_head WHERE municipality_id = $1;

-- name: StartChain :exec
INSERT INTO audit_head (municipality_id, seq, hash) VALUES ($1, 0, '')
ON CONFLICT (municipality_id) DO NOTHING;

-- name: MoveHead :execrows
UPDATE audit_head SET seq = @seq, hash = @hash WHERE municipality_id = @municipality_id AND seq = @was;

-- name: Chain :many
SELECT * FROM audit WHERE municipality_id = $1 AND seq > $2 ORDER BY seq LIMIT $3;

-- name: AuditPage :many
SELECT a.audit_id, a.at, a.actor_kind, a.actor_id, a.actor_name, a.action, a.object_kind, a.object_id, a.detail, a.seq,
  coalesce(s.name, '') AS staff_name, coalesce(t.name, '') AS token_name
FROM audit a
LEFT JOIN staff s ON a.actor_kind = 'operator' AND s.staff_id = a.actor_id
LEFT JOIN token t ON a.actor_kind = 'token' AND t.municipality_id = a.municipality_id AND t.token_id = a.actor_id
WHERE a.municipality_id = @municipality_id AND a.audit_id < @before
ORDER BY a.audit_id DESC LIMIT @page;
