-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: conversation
-- How Meta counts a message: its category and type, such as utility:regular. It comes with one or two of the statuses.
ALTER TABLE message ADD COLUMN pricing text NOT NULL DEFAULT '';
ALTER TABLE message ADD COLUMN priced smallint NOT NULL DEFAULT 0; -- 1 when first both delivered and priced: then it is tallied; 2 ever after
ALTER TABLE status_early ADD COLUMN pricing text NOT NULL DEFAULT '';
