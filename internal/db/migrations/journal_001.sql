-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: journal
CREATE TABLE journal (
  municipality_id bigint NOT NULL,
  entry_id bigint NOT NULL,
  received_at timestamptz NOT NULL,
  body bytea NOT NULL,
  done_at timestamptz,
  replayed boolean NOT NULL DEFAULT false, -- to be looked at again after quarantine
  kept boolean NOT NULL DEFAULT false, -- part of it is in quarantine
  PRIMARY KEY (municipality_id, entry_id)
);
CREATE INDEX journal_pending ON journal (entry_id) WHERE done_at IS NULL;
