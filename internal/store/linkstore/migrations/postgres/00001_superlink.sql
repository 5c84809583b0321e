-- +goose Up
CREATE TABLE link_node (
  federation_id BIGINT NOT NULL, id BIGINT NOT NULL, public_pem BYTEA NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
  interval_ms BIGINT NOT NULL, registered_at BIGINT NOT NULL, activated_at BIGINT NOT NULL, deactivated_at BIGINT NOT NULL,
  unregistered_at BIGINT NOT NULL,
  PRIMARY KEY (federation_id, id)
);
CREATE TABLE link_run (
  federation_id BIGINT NOT NULL, id BIGINT NOT NULL, key TEXT NOT NULL, fab_hash TEXT NOT NULL, app TEXT NOT NULL, version TEXT NOT NULL,
  config BYTEA NOT NULL, status TEXT NOT NULL, sub_status TEXT NOT NULL, details TEXT NOT NULL, task_id BIGINT NOT NULL,
  token_hash BYTEA NOT NULL, bytes_sent BIGINT NOT NULL, bytes_received BIGINT NOT NULL, client_seconds DOUBLE PRECISION NOT NULL,
  pending_at BIGINT NOT NULL, starting_at BIGINT NOT NULL, running_at BIGINT NOT NULL, finished_at BIGINT NOT NULL,
  PRIMARY KEY (federation_id, id)
);
CREATE TABLE link_fab (
  federation_id BIGINT NOT NULL, hash TEXT NOT NULL, content BYTEA NOT NULL,
  PRIMARY KEY (federation_id, hash)
);
CREATE TABLE link_letter (
  federation_id BIGINT NOT NULL, id TEXT NOT NULL, run_id BIGINT NOT NULL, node_id BIGINT NOT NULL, reply_to TEXT NOT NULL,
  message BYTEA NOT NULL, tree BYTEA NOT NULL, state INTEGER NOT NULL,
  PRIMARY KEY (federation_id, id)
);
CREATE TABLE link_object (
  federation_id BIGINT NOT NULL, id TEXT NOT NULL, size BIGINT NOT NULL, content BYTEA,
  PRIMARY KEY (federation_id, id)
);
