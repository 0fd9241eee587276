-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: municipality
CREATE TABLE municipality (
  municipality_id bigint PRIMARY KEY,
  slug text NOT NULL UNIQUE,
  name text NOT NULL,
  file jsonb NOT NULL, -- the municipality file as applied, without its secrets
  version bigint NOT NULL, -- grows with every change; the sweep of the directories compares it
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

CREATE TABLE number (
  municipality_id bigint NOT NULL,
  phone_number_id text NOT NULL UNIQUE, -- in the whole installation
  waba_id text NOT NULL,
  office text NOT NULL,
  display text NOT NULL,
  e164 text NOT NULL,
  position integer NOT NULL, -- its place in the file
  retired boolean NOT NULL, -- no longer in the file; its conversations stay
  access_token bytea NOT NULL, -- the three secrets are sealed
  app_secret bytea NOT NULL,
  verify_token bytea NOT NULL,
  throughput text NOT NULL DEFAULT 'STANDARD', -- Meta's throughput.level
  quality text NOT NULL DEFAULT '',
  checked_at timestamptz,
  PRIMARY KEY (municipality_id, phone_number_id)
);

CREATE TABLE template (
  municipality_id bigint NOT NULL,
  waba_id text NOT NULL,
  name text NOT NULL,
  language text NOT NULL,
  external_id text NOT NULL,
  status text NOT NULL,
  category text NOT NULL,
  parameter_format text NOT NULL,
  components jsonb NOT NULL,
  synced_at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, waba_id, name, language)
);
