-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: db
-- The vector also holds the word of the municipality, so that a search never leaves it.
CREATE TABLE message_search (
  municipality_id bigint NOT NULL,
  id bigint NOT NULL,
  vector tsvector NOT NULL,
  PRIMARY KEY (municipality_id, id)
);
CREATE INDEX message_search_vector ON message_search USING gin (vector);
CREATE TABLE contact_search (
  municipality_id bigint NOT NULL,
  id bigint NOT NULL,
  vector tsvector NOT NULL,
  PRIMARY KEY (municipality_id, id)
);
CREATE INDEX contact_search_vector ON contact_search USING gin (vector);
