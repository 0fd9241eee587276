-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: contact
CREATE TABLE contact (
  municipality_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  name text NOT NULL, -- as the citizen's profile says, or as an operator corrected it
  named_by_staff boolean NOT NULL DEFAULT false,
  username text NOT NULL DEFAULT '',
  phone text NOT NULL DEFAULT '', -- the current one, digits; the truth is contact_address
  user_id text NOT NULL DEFAULT '', -- the current BSUID
  note text NOT NULL DEFAULT '',
  name_at timestamptz, -- when WhatsApp told the name, and so on: what is told later holds
  username_at timestamptz,
  phone_at timestamptz,
  user_id_at timestamptz,
  merged_into bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, contact_id)
);

CREATE INDEX contact_merged ON contact (municipality_id, merged_into) WHERE merged_into <> 0;

CREATE TABLE contact_address (
  municipality_id bigint NOT NULL,
  kind text NOT NULL, -- phone (digits), bsuid, parent
  value text NOT NULL,
  contact_id bigint NOT NULL,
  since timestamptz NOT NULL,
  until timestamptz, -- when it became an earlier one
  PRIMARY KEY (municipality_id, kind, value)
);
CREATE INDEX contact_address_contact ON contact_address (municipality_id, contact_id);
