-- +goose Up
-- Links to one run, for people without an account.
CREATE TABLE share (
  id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hash          BYTEA NOT NULL UNIQUE, -- SHA-256 of the link's secret
  federation_id BIGINT NOT NULL REFERENCES federation (id),
  run_id        BIGINT NOT NULL REFERENCES run (id),
  with_log      BIGINT NOT NULL CHECK (with_log IN (0, 1)),
  created_by    TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL,
  revoked_at    BIGINT NOT NULL
);
CREATE INDEX share_by_run ON share (run_id, id);

-- How long a federation keeps what ServerApps wrote; 0 is without a limit.
CREATE TABLE artifact_rule (
  federation_id BIGINT PRIMARY KEY REFERENCES federation (id),
  days          BIGINT NOT NULL CHECK (days >= 0),
  runs          BIGINT NOT NULL CHECK (runs >= 0)
);

-- Runs whose files are gone by that rule.
CREATE TABLE artifact_sweep (
  run_id BIGINT PRIMARY KEY REFERENCES run (id),
  at     BIGINT NOT NULL,
  files  BIGINT NOT NULL,
  bytes  BIGINT NOT NULL
);

CREATE TABLE receipt (
  run_id     BIGINT PRIMARY KEY REFERENCES run (id),
  envelope   BYTEA NOT NULL, -- DSSE, exactly as it is given out
  created_at BIGINT NOT NULL
);
CREATE INDEX run_by_end ON run (federation_id, ended_at, id);

-- The root object of a reply: its id is the hash of all that the participant sent in it.
ALTER TABLE exchange ADD COLUMN reply_object TEXT NOT NULL DEFAULT '';
