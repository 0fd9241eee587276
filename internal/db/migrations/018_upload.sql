-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: media
-- Our uploads, which WhatsApp keeps for a while and each for the number it was made for: what goes out from several
-- numbers at once has one for each.
CREATE TABLE media_upload (
  municipality_id bigint NOT NULL,
  media_id bigint NOT NULL,
  number text NOT NULL, -- phone number id
  external_id text NOT NULL, -- WhatsApp's id of it
  until timestamptz NOT NULL, -- it is good
  PRIMARY KEY (municipality_id, media_id, number)
);
INSERT INTO media_upload SELECT municipality_id, media_id, uploaded_for, uploaded_id, uploaded_until FROM media WHERE uploaded_id <> '' AND uploaded_until IS NOT NULL;
ALTER TABLE media DROP COLUMN uploaded_id;
ALTER TABLE media DROP COLUMN uploaded_for;
ALTER TABLE media DROP COLUMN uploaded_until;
