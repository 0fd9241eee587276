-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: db
-- scope holds the word of the municipality, so that a search never leaves it.
CREATE VIRTUAL TABLE message_search USING fts5(scope, words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE contact_search USING fts5(scope, words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2', prefix='2 3');
