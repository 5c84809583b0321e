-- +goose Up
-- How ClientApps failed, as participants' agents tell.
CREATE TABLE app_exit (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  federation_id BIGINT NOT NULL,
  engine_run_id BIGINT NOT NULL,
  node_id       BIGINT NOT NULL,
  exit_code     BIGINT NOT NULL,
  signal        TEXT NOT NULL,
  kind          TEXT NOT NULL,
  module        TEXT NOT NULL,
  output        TEXT NOT NULL,
  at            BIGINT NOT NULL
);
CREATE INDEX app_exit_by_run ON app_exit (federation_id, engine_run_id, id);
