-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: media
-- Which token handed a file in; 0 is none. One of some offices may use its own files before any message has them.
ALTER TABLE media ADD COLUMN uploaded_by bigint NOT NULL DEFAULT 0;
