-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Owner: broadcast
-- Its recipients are rows of message with its id: they are the ledger, there is no other.
CREATE TABLE broadcast (
  municipality_id bigint NOT NULL,
  broadcast_id bigint NOT NULL,
  state text NOT NULL, -- draft, awaiting_approval, scheduled, preparing, sending, paused, completed, cancelled
  emergency boolean NOT NULL,
  exercise boolean NOT NULL,
  lists jsonb NOT NULL, -- keywords
  districts jsonb NOT NULL,
  exclude jsonb NOT NULL,
  template jsonb NOT NULL, -- name, language, texts
  reads text NOT NULL, -- the template filled in
  category text NOT NULL, -- Meta's, which decides the price
  free text NOT NULL, -- for those whose window is open; '' sends the template to all
  follows bigint NOT NULL DEFAULT 0, -- the broadcast that this one updates or ends
  ends boolean NOT NULL DEFAULT false, -- the all-clear
  author_kind text NOT NULL, -- who wrote it last
  author_id bigint NOT NULL,
  author_name text NOT NULL,
  created_at timestamptz NOT NULL,
  written_at timestamptz NOT NULL, -- what it says
  updated_at timestamptz NOT NULL,
  schedule timestamptz,
  submitted_at timestamptz,
  submitter_kind text NOT NULL DEFAULT '',
  submitter_id bigint NOT NULL DEFAULT 0,
  submitter_name text NOT NULL DEFAULT '',
  approver_id bigint NOT NULL DEFAULT 0,
  approver_name text NOT NULL DEFAULT '',
  approved_at timestamptz,
  glass text NOT NULL DEFAULT '', -- why the author released an emergency alone
  cursor bigint NOT NULL DEFAULT 0, -- preparation: the last contact that has its row
  prepared boolean NOT NULL DEFAULT false,
  recipients integer NOT NULL DEFAULT 0, -- rows prepared
  started_at timestamptz,
  completed_at timestamptz, -- also when it was cancelled
  pause_code integer NOT NULL DEFAULT 0, -- Graph's error that paused it; 0: a person did
  paused_name text NOT NULL DEFAULT '',
  waits text NOT NULL DEFAULT '', -- limit: until Meta's daily limit lets more people be reached
  resend_since timestamptz, -- what was silent then is to be sent again, because this supervisor chose to
  resender_kind text NOT NULL DEFAULT '',
  resender_id bigint NOT NULL DEFAULT 0,
  resender_name text NOT NULL DEFAULT '',
  reach jsonb NOT NULL DEFAULT '{}', -- outcomes and times as last counted
  PRIMARY KEY (municipality_id, broadcast_id)
);
CREATE INDEX broadcast_open ON broadcast (municipality_id, broadcast_id) WHERE completed_at IS NULL;
CREATE INDEX broadcast_awaits ON broadcast (municipality_id, broadcast_id) WHERE state = 'awaiting_approval';
CREATE INDEX broadcast_glass ON broadcast (municipality_id, approved_at) WHERE glass <> '';
CREATE INDEX broadcast_follows ON broadcast (municipality_id, follows) WHERE follows <> 0;
