-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: staff
CREATE TABLE staff (
  staff_id bigint PRIMARY KEY,
  email text NOT NULL UNIQUE, -- lower case
  name text NOT NULL,
  password text NOT NULL DEFAULT '', -- argon2id; empty until the one-time link is used
  preferences jsonb NOT NULL DEFAULT '{}',
  disabled boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  seen_at timestamptz -- the last sign-in
);

CREATE TABLE membership (
  municipality_id bigint NOT NULL,
  staff_id bigint NOT NULL,
  role text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, staff_id)
);
CREATE INDEX membership_staff ON membership (staff_id);

CREATE TABLE membership_office (
  municipality_id bigint NOT NULL,
  staff_id bigint NOT NULL,
  office text NOT NULL,
  PRIMARY KEY (municipality_id, staff_id, office)
);

CREATE TABLE session (
  token text PRIMARY KEY, -- the hash of the cookie's token
  staff_id bigint NOT NULL, -- 0 before signing in
  data bytea NOT NULL,
  ended boolean NOT NULL, -- kept until it expires: a request still in flight must not bring it back
  expires_at timestamptz NOT NULL
);
CREATE INDEX session_expiry ON session (expires_at);
CREATE INDEX session_staff ON session (staff_id);

CREATE TABLE invitation (
  token text PRIMARY KEY, -- the hash of the one-time link's token
  staff_id bigint NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX invitation_staff ON invitation (staff_id);

CREATE TABLE signin_attempt (
  subject text PRIMARY KEY, -- a hash of the e-mail or of the network address
  failures integer NOT NULL,
  latest timestamptz NOT NULL,
  blocked_until timestamptz NOT NULL
);

CREATE TABLE token (
  municipality_id bigint NOT NULL,
  token_id bigint NOT NULL,
  name text NOT NULL,
  hash text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL,
  used_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (municipality_id, token_id)
);

CREATE TABLE token_office (
  municipality_id bigint NOT NULL,
  token_id bigint NOT NULL,
  office text NOT NULL,
  PRIMARY KEY (municipality_id, token_id, office)
);

CREATE TABLE idempotency (
  municipality_id bigint NOT NULL,
  token_id bigint NOT NULL,
  key text NOT NULL,
  body_hash text NOT NULL,
  status integer NOT NULL, -- 0 only inside the transaction that does the work
  response bytea NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, token_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- Ids and hashes only, never personal text. The sealer fills seq, prev and hash within a second.
CREATE TABLE audit (
  municipality_id bigint NOT NULL,
  audit_id bigint NOT NULL,
  at timestamptz NOT NULL,
  actor_kind text NOT NULL,
  actor_id bigint NOT NULL,
  actor_name text NOT NULL, -- of a part of the system, such as cli; people's names are looked up
  action text NOT NULL,
  object_kind text NOT NULL,
  object_id text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  seq bigint NOT NULL DEFAULT 0,
  prev text NOT NULL DEFAULT '',
  hash text NOT NULL DEFAULT '',
  PRIMARY KEY (municipality_id, audit_id)
);
CREATE INDEX audit_unsealed ON audit (municipality_id, audit_id) WHERE seq = 0;
CREATE UNIQUE INDEX audit_chain ON audit (municipality_id, seq) WHERE seq > 0;

-- Where each chain ends. Whoever seals moves it on, so two sealers never give out the same place, and
-- rows cut off the end are missed.
CREATE TABLE audit_head (
  municipality_id bigint PRIMARY KEY,
  seq bigint NOT NULL,
  hash text NOT NULL
);
