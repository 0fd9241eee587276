-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: contact
-- Who is on the block list that Meta keeps of a number, as it was last read or changed. Who blocked whom and why is in
-- the audit trail.
CREATE TABLE blocked (
  municipality_id bigint NOT NULL,
  number text NOT NULL, -- phone number id
  contact_id bigint NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, number, contact_id)
);
CREATE INDEX blocked_contact ON blocked (municipality_id, contact_id, number, at);
CREATE INDEX blocked_latest ON blocked (municipality_id, at DESC, contact_id, number);
