-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: contact
-- Proof of consent, append-only: no row is ever changed or removed but by redaction (invariant 9). Its
-- hash stands in the audit trail, written in the same transaction.
CREATE TABLE consent (
  municipality_id bigint NOT NULL,
  consent_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  topic text NOT NULL, -- keyword of the list; '' is the notice's acknowledgement, or all marketing messages at Meta
  event text NOT NULL, -- asked, given, withdrawn, declined, acknowledged, refused, resumed, imported, suspended
  at timestamptz NOT NULL, -- when the citizen did it
  recorded_at timestamptz NOT NULL,
  channel text NOT NULL, -- whatsapp, page, counter, import, meta
  number text NOT NULL DEFAULT '',
  message_id bigint NOT NULL DEFAULT 0,
  external_id text NOT NULL DEFAULT '', -- WhatsApp's id of the message
  words text NOT NULL DEFAULT '', -- exactly as received
  wording text NOT NULL DEFAULT '', -- what the citizen had been shown when they said so: the question or the answer, in full
  policy_version text NOT NULL,
  policy_hash text NOT NULL,
  language text NOT NULL,
  actor_kind text NOT NULL,
  actor_id bigint NOT NULL,
  actor_name text NOT NULL,
  reference text NOT NULL DEFAULT '', -- of the paper at the counter, or the basis of an import
  hash text NOT NULL,
  PRIMARY KEY (municipality_id, consent_id)
);
CREATE INDEX consent_contact ON consent (municipality_id, contact_id, consent_id);

-- The texts of the policy by their hash: what was shown can be read again after the file has changed.
CREATE TABLE policy (
  municipality_id bigint NOT NULL,
  hash text NOT NULL,
  version text NOT NULL,
  url text NOT NULL,
  text text NOT NULL,
  first_used_at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, hash)
);
