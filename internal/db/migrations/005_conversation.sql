-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: conversation
CREATE TABLE conversation (
  municipality_id bigint NOT NULL,
  conversation_id bigint NOT NULL,
  number text NOT NULL, -- phone number id
  contact_id bigint NOT NULL,
  state text NOT NULL, -- open, resolved, merged (into another of the same citizen)
  kind text NOT NULL DEFAULT '',
  office text NOT NULL DEFAULT '',
  holder_id bigint NOT NULL DEFAULT 0,
  holder_name text NOT NULL DEFAULT '',
  unread integer NOT NULL DEFAULT 0,
  opened_at timestamptz NOT NULL,
  waiting_since timestamptz, -- the first question without a reply
  first_reply_at timestamptz,
  last_inbound_at timestamptz, -- opens the 24-hour window
  last_message_at timestamptz NOT NULL,
  last_message_id bigint NOT NULL DEFAULT 0,
  last_direction text NOT NULL DEFAULT '',
  last_type text NOT NULL DEFAULT '',
  last_text text NOT NULL DEFAULT '',
  resolved_at timestamptz,
  resolution text NOT NULL DEFAULT '', -- why it was resolved without a reply
  PRIMARY KEY (municipality_id, conversation_id)
);
-- One open conversation for each contact and number, whoever works first.
CREATE UNIQUE INDEX conversation_open ON conversation (municipality_id, contact_id, number) WHERE state = 'open';
CREATE INDEX conversation_contact ON conversation (municipality_id, contact_id, number, opened_at);
CREATE INDEX conversation_inbox ON conversation (municipality_id, state, last_message_at, conversation_id);
CREATE INDEX conversation_held ON conversation (municipality_id, holder_id, last_message_at, conversation_id) WHERE state = 'open' AND holder_id <> 0;
CREATE INDEX conversation_waiting ON conversation (municipality_id, waiting_since, conversation_id) WHERE state = 'open' AND waiting_since IS NOT NULL;
CREATE INDEX conversation_office ON conversation (municipality_id, office, state, last_message_at, conversation_id) WHERE office <> '';

CREATE TABLE message (
  municipality_id bigint NOT NULL,
  message_id bigint NOT NULL,
  conversation_id bigint NOT NULL DEFAULT 0,
  contact_id bigint NOT NULL,
  number text NOT NULL,
  direction text NOT NULL, -- in, out, note
  type text NOT NULL,
  text text NOT NULL DEFAULT '',
  detail jsonb NOT NULL DEFAULT '{}',
  media_id bigint NOT NULL DEFAULT 0,
  reply_to text NOT NULL DEFAULT '', -- the external id it answers
  external_id text NOT NULL DEFAULT '', -- WhatsApp's id
  client_key text NOT NULL DEFAULT '', -- makes a doubled request one message
  status smallint NOT NULL DEFAULT 0, -- the rank is status / 10; see status.go
  lane smallint NOT NULL DEFAULT 0,
  author_kind text NOT NULL DEFAULT '',
  author_id bigint NOT NULL DEFAULT 0,
  author_name text NOT NULL DEFAULT '',
  at timestamptz NOT NULL, -- WhatsApp's time, or ours of writing it
  place integer NOT NULL DEFAULT 0, -- in its payload
  created_at timestamptz NOT NULL,
  next_at timestamptz NOT NULL, -- not to be sent before
  attempts integer NOT NULL DEFAULT 0, -- claims; the fence of settling
  tries integer NOT NULL DEFAULT 0, -- times it was written to the wire
  sending_at timestamptz,
  accepted_at timestamptz,
  sent_at timestamptz,
  delivered_at timestamptz,
  read_at timestamptz,
  error_code integer NOT NULL DEFAULT 0,
  error_detail text NOT NULL DEFAULT '',
  counted smallint NOT NULL DEFAULT 0, -- 1 when first told delivered: then it is tallied; 2 ever after
  broadcast_id bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (municipality_id, message_id)
);
-- Stored once, however often and however simultaneously it is delivered.
CREATE UNIQUE INDEX message_external ON message (municipality_id, external_id) WHERE external_id <> '';
CREATE UNIQUE INDEX message_client_key ON message (municipality_id, client_key) WHERE client_key <> '';
CREATE INDEX message_thread ON message (municipality_id, contact_id, number, at, place, message_id);
-- The outbox: what waits, by number and lane; and what waits or is in flight, by citizen.
CREATE INDEX message_queued ON message (municipality_id, number, lane, next_at, message_id) WHERE status = 10;
CREATE INDEX message_turn ON message (municipality_id, contact_id, number, message_id) WHERE status IN (10, 20);
CREATE INDEX message_unsettled ON message (municipality_id, status, sending_at) WHERE status IN (20, 30);

-- A status that came before our own send was settled and could only be told by WhatsApp's id.
CREATE TABLE status_early (
  municipality_id bigint NOT NULL,
  external_id text NOT NULL,
  status smallint NOT NULL,
  at timestamptz NOT NULL,
  error_code integer NOT NULL,
  error_detail text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, external_id)
);

CREATE TABLE conversation_event (
  municipality_id bigint NOT NULL,
  event_id bigint NOT NULL,
  conversation_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  number text NOT NULL,
  at timestamptz NOT NULL,
  kind text NOT NULL, -- opened, taken, released, handed_over, resolved, reopened, kind_set, merged
  actor_kind text NOT NULL,
  actor_id bigint NOT NULL,
  actor_name text NOT NULL,
  detail text NOT NULL DEFAULT '',
  PRIMARY KEY (municipality_id, event_id)
);
CREATE INDEX conversation_event_thread ON conversation_event (municipality_id, contact_id, number, at);

CREATE TABLE draft (
  municipality_id bigint NOT NULL,
  conversation_id bigint NOT NULL,
  staff_id bigint NOT NULL,
  draft_key text NOT NULL, -- becomes the message's client_key
  mode text NOT NULL, -- reply, note
  text text NOT NULL,
  reply_to bigint NOT NULL DEFAULT 0,
  media_id bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, conversation_id, staff_id)
);

CREATE TABLE tally (
  municipality_id bigint NOT NULL,
  day text NOT NULL, -- 2026-11-24
  number text NOT NULL,
  name text NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (municipality_id, day, number, name)
);

CREATE TABLE sending_state (
  municipality_id bigint NOT NULL,
  number text NOT NULL,
  stopped_code integer NOT NULL, -- Graph's error that stopped the number; 0 is running
  stopped_at timestamptz NOT NULL,
  PRIMARY KEY (municipality_id, number)
);
