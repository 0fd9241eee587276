-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: conversation
-- What citizens changed of their messages afterwards. The message has what it says now; here stands every version of
-- it, the first one too, and what waits for a message that has not come yet.
CREATE TABLE revision (
  municipality_id bigint NOT NULL,
  external_id text NOT NULL, -- WhatsApp's id of the change, of the message itself for its first version: each is kept once
  target text NOT NULL, -- WhatsApp's id of the message
  contact_id bigint NOT NULL,
  kind text NOT NULL, -- original, edit, revoke
  text text NOT NULL,
  same_text boolean NOT NULL, -- an edit of which we can't tell what the message says now
  at timestamptz NOT NULL,
  place integer NOT NULL,
  applied boolean NOT NULL, -- false: the message has not come yet
  PRIMARY KEY (municipality_id, external_id)
);
CREATE INDEX revision_target ON revision (municipality_id, target);
CREATE INDEX revision_waiting ON revision (municipality_id, contact_id) WHERE NOT applied;
CREATE INDEX revision_contact ON revision (municipality_id, contact_id);

ALTER TABLE message ADD COLUMN edited_at timestamptz;
ALTER TABLE message ADD COLUMN revoked_at timestamptz;
