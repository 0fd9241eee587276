-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: db
CREATE TABLE lease (
  name text PRIMARY KEY,
  owner text NOT NULL,
  until timestamptz NOT NULL
);
