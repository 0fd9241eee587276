-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: journal
-- Thousands of rows a second come and go here, so what is left of them is cleared often. The file keeps its length: to
-- shorten it everybody would be locked out.
ALTER TABLE journal_waiting SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000, vacuum_truncate = false);
