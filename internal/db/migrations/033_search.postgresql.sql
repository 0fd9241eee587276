-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: db
-- Each word is a municipality's own: m, eight hexadecimal figures of its id, and the word. Before, the municipality was a
-- word of its own, which stood in each of its documents, so that each search walked through all of them.
-- The index by id knows roughly where the newest documents are, and lets a search keep to them.
DROP INDEX message_search_vector;
DROP INDEX contact_search_vector;
UPDATE message_search s SET vector = (SELECT array_to_tsvector(array_agg('m' || lpad(to_hex(s.municipality_id % 4294967291), 8, '0') || word)) FROM unnest(tsvector_to_array(s.vector)) AS word WHERE word LIKE 'x%')
  WHERE EXISTS (SELECT FROM unnest(tsvector_to_array(s.vector)) AS word WHERE word LIKE 'x%');
UPDATE contact_search s SET vector = (SELECT array_to_tsvector(array_agg('m' || lpad(to_hex(s.municipality_id % 4294967291), 8, '0') || word)) FROM unnest(tsvector_to_array(s.vector)) AS word WHERE word LIKE 'x%')
  WHERE EXISTS (SELECT FROM unnest(tsvector_to_array(s.vector)) AS word WHERE word LIKE 'x%');
CREATE INDEX message_search_vector ON message_search USING gin (vector);
CREATE INDEX contact_search_vector ON contact_search USING gin (vector);
CREATE INDEX message_search_id ON message_search USING brin (id) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX contact_search_id ON contact_search USING brin (id) WITH (pages_per_range = 16, autosummarize = on);
