-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: media
-- Contents that a row was deleted of: they go from the disk, if no other row has the same, a while later.
CREATE TABLE media_deleted (
  municipality_id bigint NOT NULL,
  sha256 text NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, sha256)
);
CREATE INDEX media_ready ON media (municipality_id, media_id) WHERE state = 'ready';
CREATE INDEX media_content ON media (municipality_id, sha256) WHERE sha256 <> '';
