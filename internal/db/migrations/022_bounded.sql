-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: broadcast
-- How many are on each list and in each district: counting a hundred thousand would hold up every page that tells it.
-- It changes in the transaction that changes a subscription.
CREATE TABLE subscribers (
  municipality_id bigint NOT NULL,
  topic text NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (municipality_id, topic)
);
INSERT INTO subscribers (municipality_id, topic, count)
  SELECT municipality_id, topic, count(*) FROM subscription WHERE state = 1 GROUP BY municipality_id, topic;

-- Broadcasts add up over the years; what is asked of them is about the last days or months.
CREATE INDEX broadcast_started ON broadcast (municipality_id, started_at, broadcast_id);
CREATE INDEX broadcast_ended ON broadcast (municipality_id, completed_at) WHERE completed_at IS NOT NULL;
