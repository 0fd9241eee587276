-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: db
-- Each word is a municipality's own: m, eight hexadecimal figures of its id, and the word. Before, the municipality was a
-- word of its own, which stood in each of its documents, so that each search walked through all of them.
-- Changing the type writes the tables and their indexes anew, once; an UPDATE would leave them at twice their size.
ALTER TABLE message_search ALTER COLUMN vector TYPE tsvector USING array_to_tsvector(string_to_array(ltrim(replace(
  regexp_replace(' ' || array_to_string(tsvector_to_array(vector), ' '), ' m[0-9a-z]+', ''), ' x', ' m' || lpad(to_hex(municipality_id % 4294967291), 8, '0') || 'x')), ' '));
ALTER TABLE contact_search ALTER COLUMN vector TYPE tsvector USING array_to_tsvector(string_to_array(ltrim(replace(
  regexp_replace(' ' || array_to_string(tsvector_to_array(vector), ' '), ' m[0-9a-z]+', ''), ' x', ' m' || lpad(to_hex(municipality_id % 4294967291), 8, '0') || 'x')), ' '));
-- The index by id knows roughly where the newest documents are, and lets a search keep to them.
CREATE INDEX message_search_id ON message_search USING brin (id) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX contact_search_id ON contact_search USING brin (id) WITH (pages_per_range = 16, autosummarize = on);
