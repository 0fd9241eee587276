-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: media
CREATE TABLE media (
  municipality_id bigint NOT NULL,
  media_id bigint NOT NULL,
  message_id bigint NOT NULL DEFAULT 0,
  number text NOT NULL DEFAULT '',
  direction text NOT NULL, -- in, out
  external_id text NOT NULL DEFAULT '', -- WhatsApp's id of the file
  url text NOT NULL DEFAULT '',
  mime text NOT NULL DEFAULT '', -- as declared, then as found by content
  name text NOT NULL DEFAULT '',
  size bigint NOT NULL DEFAULT 0, -- bytes
  sha256 text NOT NULL DEFAULT '', -- hex, of the content; names the file
  declared_sha256 text NOT NULL DEFAULT '',
  state text NOT NULL, -- pending, ready, failed, refused
  reason text NOT NULL DEFAULT '', -- a key of locale when failed or refused
  width integer NOT NULL DEFAULT 0,
  height integer NOT NULL DEFAULT 0,
  duration_ms integer NOT NULL DEFAULT 0,
  thumbnail boolean NOT NULL DEFAULT false,
  uploaded_id text NOT NULL DEFAULT '', -- WhatsApp's id of our upload, for which number and until when it is good
  uploaded_for text NOT NULL DEFAULT '',
  uploaded_until timestamptz,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, media_id)
);
CREATE INDEX media_pending ON media (municipality_id, media_id) WHERE state = 'pending';
