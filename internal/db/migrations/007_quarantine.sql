-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: journal
CREATE TABLE quarantine (
  municipality_id bigint NOT NULL,
  quarantine_id bigint NOT NULL,
  entry_id bigint NOT NULL, -- the journal entry it came in
  place text NOT NULL, -- where in it: '' is the whole, else entry/change/array/index
  reason text NOT NULL, -- a short word, a key of locale
  detail text NOT NULL,
  body text NOT NULL, -- as it came
  at timestamptz NOT NULL,
  replayed_at timestamptz, -- somebody asked to try again
  solved_at timestamptz,
  PRIMARY KEY (municipality_id, quarantine_id)
);
CREATE UNIQUE INDEX quarantine_once ON quarantine (municipality_id, entry_id, place);
CREATE INDEX quarantine_unsolved ON quarantine (municipality_id, quarantine_id) WHERE solved_at IS NULL;
