-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: broadcast
-- Who gets which list, and who said which district is theirs. A row stays when somebody leaves: it
-- remembers which word was the last, whatever order words are processed in.
CREATE TABLE subscription (
  municipality_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  topic text NOT NULL, -- keyword of a list or of a district
  state smallint NOT NULL, -- 0 off, 1 on, 2 suspended: the citizen's number changed, and they must confirm
  number text NOT NULL DEFAULT '', -- phone number id from which the citizen gets it: where they joined
  since timestamptz NOT NULL, -- when the state began, as shown
  at timestamptz NOT NULL, -- at, place and source: the word that decided, by the order of words
  place integer NOT NULL DEFAULT 0,
  source text NOT NULL DEFAULT '', -- its external id, or ours of a form
  PRIMARY KEY (municipality_id, contact_id, topic)
);
CREATE INDEX subscription_topic ON subscription (municipality_id, topic, contact_id) WHERE state = 1;

-- What is known of a citizen as a subscriber, beside the lists.
CREATE TABLE subscriber (
  municipality_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  at timestamptz NOT NULL, -- the last word applied: an older one gets no answer
  place integer NOT NULL DEFAULT 0,
  source text NOT NULL DEFAULT '',
  left_at timestamptz, -- the last word that left everything: it beats every earlier join, of whatever list
  left_place integer NOT NULL DEFAULT 0,
  left_source text NOT NULL DEFAULT '',
  moved_at timestamptz, -- the last change of their number: what they joined before is suspended until they confirm
  moved_place integer NOT NULL DEFAULT 0,
  moved_source text NOT NULL DEFAULT '',
  marketing_at timestamptz, -- when they last said so to Meta, either way
  marketing_stopped_at timestamptz, -- Meta's own opt-out: no marketing template goes to them
  PRIMARY KEY (municipality_id, contact_id)
);
