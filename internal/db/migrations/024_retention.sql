-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: retention
-- When a municipality's old rows were last looked for, and what was deleted that the audit trail does not tell yet.
CREATE TABLE retention_run (
  municipality_id bigint PRIMARY KEY,
  ran_at timestamptz, -- the end of the last run that came to one
  contacts_at timestamptz, -- and of the last that also looked through the contacts
  told_at timestamptz, -- the last row in the audit trail
  messages bigint NOT NULL DEFAULT 0,
  files bigint NOT NULL DEFAULT 0,
  conversations bigint NOT NULL DEFAULT 0,
  contacts bigint NOT NULL DEFAULT 0
);
