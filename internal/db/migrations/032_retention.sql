-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: retention
-- How many rows of the consent register were deleted that the audit trail does not tell yet in its row of the day.
ALTER TABLE retention_run ADD COLUMN consents bigint NOT NULL DEFAULT 0;
