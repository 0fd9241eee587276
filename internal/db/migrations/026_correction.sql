-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: conversation
-- Where and when an edit came to us: one whose message does not come is shown by itself.
ALTER TABLE revision ADD COLUMN number text NOT NULL DEFAULT '';
ALTER TABLE revision ADD COLUMN kept_at timestamptz;
