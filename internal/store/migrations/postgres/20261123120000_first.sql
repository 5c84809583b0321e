-- +goose Up
CREATE TABLE setting (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE person (
  id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email        TEXT UNIQUE, -- lower case; null for a first admin without one
  name         TEXT NOT NULL,
  organisation TEXT NOT NULL,
  admin        BIGINT NOT NULL CHECK (admin IN (0, 1)),
  created_at   BIGINT NOT NULL -- all times: Unix milliseconds, UTC; 0 where not yet
);

CREATE TABLE session (
  id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hash         BYTEA NOT NULL UNIQUE, -- SHA-256 of the cookie's secret
  person_id    BIGINT NOT NULL REFERENCES person (id),
  created_at   BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  address      TEXT NOT NULL,
  agent        TEXT NOT NULL
);

CREATE TABLE link (
  id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hash       BYTEA NOT NULL UNIQUE,
  purpose    TEXT NOT NULL CHECK (purpose IN ('setup', 'sign_in')),
  person_id  BIGINT REFERENCES person (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL
);

CREATE TABLE api_token (
  id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hash         BYTEA NOT NULL UNIQUE,
  name         TEXT NOT NULL,
  person_id    BIGINT NOT NULL REFERENCES person (id),
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL
);

CREATE TABLE federation (
  id               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slug             TEXT NOT NULL UNIQUE,
  name             TEXT NOT NULL,
  description      TEXT NOT NULL,
  total_partitions BIGINT NOT NULL CHECK (total_partitions BETWEEN 1 AND 10000),
  parallel         BIGINT NOT NULL CHECK (parallel >= 1),
  engine_wanted    BIGINT NOT NULL CHECK (engine_wanted IN (0, 1)),
  created_at       BIGINT NOT NULL
);

CREATE TABLE role_grant (
  person_id     BIGINT NOT NULL REFERENCES person (id),
  federation_id BIGINT NOT NULL REFERENCES federation (id),
  role          TEXT NOT NULL CHECK (role IN ('viewer', 'manager')),
  PRIMARY KEY (person_id, federation_id)
);

CREATE TABLE request (
  id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ref             TEXT NOT NULL UNIQUE,
  federation_id   BIGINT NOT NULL REFERENCES federation (id),
  person_id       BIGINT NOT NULL REFERENCES person (id),
  state           TEXT NOT NULL CHECK (state IN ('unverified', 'pending', 'approved', 'rejected', 'revoked', 'withdrawn', 'expired')),
  partition_id    BIGINT NOT NULL CHECK (partition_id BETWEEN -1 AND 9999),
  name            TEXT NOT NULL,
  organisation    TEXT NOT NULL,
  message         TEXT NOT NULL,
  reason          TEXT NOT NULL,
  decided_by      TEXT NOT NULL,
  created_at      BIGINT NOT NULL,
  verified_at     BIGINT NOT NULL,
  decided_at      BIGINT NOT NULL,
  expires_at      BIGINT NOT NULL,
  code_hash       BYTEA,
  code_expires_at BIGINT NOT NULL,
  code_tries      BIGINT NOT NULL,
  code_sent       BIGINT NOT NULL,
  code_sent_at    BIGINT NOT NULL,
  CHECK (state <> 'approved' OR partition_id >= 0)
);
-- At most one holder of a partition, at most one active request of a person: whatever the rules above may do.
CREATE UNIQUE INDEX request_holder ON request (federation_id, partition_id) WHERE state = 'approved';
CREATE UNIQUE INDEX request_active ON request (federation_id, person_id) WHERE state IN ('unverified', 'pending', 'approved');
CREATE INDEX request_by_state ON request (federation_id, state, id);
CREATE INDEX request_by_person ON request (person_id, id);

CREATE TABLE join_token (
  id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  public_id  TEXT NOT NULL UNIQUE,
  request_id BIGINT NOT NULL REFERENCES request (id),
  hash       BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL
);
CREATE INDEX join_token_by_request ON join_token (request_id);

CREATE TABLE node_key (
  id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  federation_id BIGINT NOT NULL REFERENCES federation (id),
  request_id    BIGINT NOT NULL REFERENCES request (id),
  partition_id  BIGINT NOT NULL,
  public_pem    BYTEA NOT NULL,
  fingerprint   TEXT NOT NULL UNIQUE, -- for ever, over all federations
  node_id       BIGINT NOT NULL, -- two's complement of Flower's uint64; 0 until registered
  via           TEXT NOT NULL CHECK (via IN ('agent', 'upload')),
  created_at    BIGINT NOT NULL,
  revoked_at    BIGINT NOT NULL,
  first_at      BIGINT NOT NULL,
  last_at       BIGINT NOT NULL,
  online        BIGINT NOT NULL CHECK (online IN (0, 1)),
  bytes_in      BIGINT NOT NULL,
  bytes_out     BIGINT NOT NULL,
  flwr          TEXT NOT NULL,
  agent         TEXT NOT NULL,
  python        TEXT NOT NULL
);
CREATE UNIQUE INDEX node_key_of_request ON node_key (request_id) WHERE revoked_at = 0;
CREATE INDEX node_key_by_federation ON node_key (federation_id);

CREATE TABLE app_version (
  hash       TEXT PRIMARY KEY, -- SHA-256 of fab
  publisher  TEXT NOT NULL,
  name       TEXT NOT NULL,
  version    TEXT NOT NULL,
  summary    TEXT NOT NULL,
  source     TEXT NOT NULL,
  config     TEXT NOT NULL, -- JSON: the config schema
  fab        BYTEA NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE run (
  id               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  federation_id    BIGINT NOT NULL REFERENCES federation (id),
  name             TEXT NOT NULL UNIQUE,
  state            TEXT NOT NULL CHECK (state IN ('queued', 'starting', 'running', 'completed', 'failed', 'stopped')),
  app_hash         TEXT NOT NULL REFERENCES app_version (hash),
  app_id           TEXT NOT NULL,
  app_version      TEXT NOT NULL,
  total_partitions BIGINT NOT NULL,
  config           TEXT NOT NULL, -- JSON
  settings         TEXT NOT NULL, -- JSON
  note             TEXT NOT NULL,
  tags             TEXT NOT NULL, -- JSON
  engine_run_id    BIGINT, -- null until StartRun answered
  cause            TEXT NOT NULL, -- JSON
  rounds           BIGINT NOT NULL,
  round            BIGINT NOT NULL,
  created_by       TEXT NOT NULL,
  stop_asked       BIGINT NOT NULL CHECK (stop_asked IN (0, 1)),
  created_at       BIGINT NOT NULL,
  starting_at      BIGINT NOT NULL,
  running_at       BIGINT NOT NULL,
  ended_at         BIGINT NOT NULL
);
CREATE UNIQUE INDEX run_by_engine ON run (federation_id, engine_run_id);
CREATE INDEX run_by_state ON run (federation_id, state, id);

-- Keyed by the engine's run id, not by run: the keeper writes them, and knows only that.
CREATE TABLE metric (
  id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  federation_id BIGINT NOT NULL,
  engine_run_id BIGINT NOT NULL,
  round         BIGINT NOT NULL,
  phase         TEXT NOT NULL,
  node_id       BIGINT NOT NULL, -- 0: the whole federation
  name          TEXT NOT NULL,
  value         DOUBLE PRECISION, -- null: NaN
  at            BIGINT NOT NULL
);
CREATE UNIQUE INDEX metric_once ON metric (federation_id, engine_run_id, round, phase, node_id, name);

CREATE TABLE exchange (
  federation_id BIGINT NOT NULL,
  engine_run_id BIGINT NOT NULL,
  message_id    TEXT NOT NULL,
  round         BIGINT NOT NULL,
  phase         TEXT NOT NULL,
  node_id       BIGINT NOT NULL,
  asked_at      BIGINT NOT NULL,
  replied_at    BIGINT NOT NULL,
  failed        BIGINT NOT NULL CHECK (failed IN (0, 1)),
  error         TEXT NOT NULL,
  PRIMARY KEY (federation_id, engine_run_id, message_id)
);

CREATE TABLE audit (
  id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at              BIGINT NOT NULL,
  actor_kind      TEXT NOT NULL,
  actor_person_id BIGINT NOT NULL,
  actor_name      TEXT NOT NULL,
  action          TEXT NOT NULL,
  object_kind     TEXT NOT NULL,
  object_id       TEXT NOT NULL,
  federation_id   BIGINT NOT NULL,
  detail          TEXT NOT NULL -- JSON
);
CREATE INDEX audit_by_object ON audit (object_kind, object_id, id);
CREATE INDEX audit_by_federation ON audit (federation_id, id);

CREATE TABLE mail (
  id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  recipient  TEXT NOT NULL,
  subject    TEXT NOT NULL,
  body       TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('queued', 'held', 'sent', 'dead')),
  tries      BIGINT NOT NULL,
  next_at    BIGINT NOT NULL,
  last_error TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  sent_at    BIGINT NOT NULL
);
CREATE INDEX mail_due ON mail (state, next_at);
