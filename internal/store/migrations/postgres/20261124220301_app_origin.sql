-- +goose Up
-- Where app versions came from, and presets of their run config.
ALTER TABLE app_version ADD COLUMN presets TEXT NOT NULL DEFAULT '[]'; -- JSON: the app's own

CREATE TABLE app_origin (
  id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app_hash  TEXT NOT NULL REFERENCES app_version (hash),
  kind      TEXT NOT NULL CHECK (kind IN ('folder', 'upload', 'git')),
  place     TEXT NOT NULL,
  ref       TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  folder    TEXT NOT NULL,
  added_by  TEXT NOT NULL,
  at        BIGINT NOT NULL
);
CREATE UNIQUE INDEX app_origin_once ON app_origin (app_hash, kind, place, commit_id, folder);
INSERT INTO app_origin (app_hash, kind, place, ref, commit_id, folder, added_by, at)
  SELECT hash, CASE WHEN source LIKE 'upload: %' THEN 'upload' ELSE 'folder' END, REPLACE(source, 'upload: ', ''), '', '', '', '', created_at FROM app_version;

CREATE TABLE app_preset (
  app_id     TEXT NOT NULL, -- publisher/name
  name       TEXT NOT NULL,
  config     TEXT NOT NULL, -- JSON: text by key
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (app_id, name)
);

CREATE INDEX run_by_app ON run (app_hash, id);
