-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: municipality
-- Meta's whatsapp_business_manager_messaging_limit: how many people may be reached outside their window in a day.
ALTER TABLE number ADD COLUMN messaging_limit text NOT NULL DEFAULT '';
