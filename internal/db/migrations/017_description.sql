-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: media
-- What the office wrote of a file: what a photo shows, what a voice note says; who wrote it last, and when.
ALTER TABLE media ADD COLUMN description text NOT NULL DEFAULT '';
ALTER TABLE media ADD COLUMN described_by bigint NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN described_name text NOT NULL DEFAULT '';
ALTER TABLE media ADD COLUMN described_at timestamptz;
