-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: db
-- Each word is a municipality's own: m, eight hexadecimal figures of its id, and the word. Before, the municipality was a
-- word of its own, which stood in each of its documents, so that each search walked through all of them.
-- The prefix index knows the first two and three letters of a name, behind these nine and the x.
CREATE VIRTUAL TABLE message_word USING fts5vocab(message_search, 'instance');
CREATE VIRTUAL TABLE contact_word USING fts5vocab(contact_search, 'instance');
CREATE VIRTUAL TABLE message_scoped USING fts5(words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE contact_scoped USING fts5(words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2', prefix='12 13');
INSERT INTO message_scoped (rowid, words)
  SELECT message_id, replace(' ' || words, ' ', printf(' m%08x', municipality_id % 4294967291))
  FROM (SELECT doc, group_concat(term, ' ') AS words FROM message_word WHERE col = 'words' GROUP BY doc) JOIN message ON message_id = doc;
INSERT INTO contact_scoped (rowid, words)
  SELECT contact_id, replace(' ' || words, ' ', printf(' m%08x', municipality_id % 4294967291))
  FROM (SELECT doc, group_concat(term, ' ') AS words FROM contact_word WHERE col = 'words' GROUP BY doc) JOIN contact ON contact_id = doc;
DROP TABLE message_word;
DROP TABLE contact_word;
DROP TABLE message_search;
DROP TABLE contact_search;
ALTER TABLE message_scoped RENAME TO message_search;
ALTER TABLE contact_scoped RENAME TO contact_search;
