-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: municipality
-- What Meta tells of the account, its numbers and its templates, and what reaches a number without being a citizen's
-- message to it, as it came.
CREATE TABLE news (
  municipality_id bigint NOT NULL,
  news_id bigint NOT NULL,
  key text NOT NULL, -- of what it says: told twice it is kept once
  waba_id text NOT NULL,
  field text NOT NULL, -- of the webhook
  event text NOT NULL,
  subject text NOT NULL, -- a template's name and language, a number's digits
  facts jsonb NOT NULL,
  body text NOT NULL, -- as it came
  at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, news_id)
);
CREATE UNIQUE INDEX news_once ON news (municipality_id, key);
CREATE INDEX news_newest ON news (municipality_id, at, news_id);
CREATE INDEX news_subject ON news (municipality_id, waba_id, field, subject, at);

ALTER TABLE template ADD COLUMN quality text NOT NULL DEFAULT ''; -- Meta's quality_score: GREEN, YELLOW, RED, UNKNOWN
