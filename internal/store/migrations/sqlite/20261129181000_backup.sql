-- +goose Up
-- Tries to back the server up, and what became of them.
CREATE TABLE backup (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  kind       TEXT NOT NULL, -- command, admin, scheduled
  started_at BIGINT NOT NULL,
  ended_at   BIGINT NOT NULL,
  file       TEXT NOT NULL,
  size       BIGINT NOT NULL,
  sha256     TEXT NOT NULL,
  clear      BIGINT NOT NULL CHECK (clear IN (0, 1)),
  verified   TEXT NOT NULL, -- '', content, bytes
  error      TEXT NOT NULL
);
CREATE INDEX backup_by_end ON backup (ended_at, id);
-- The newest backup was a setting until now.
INSERT INTO backup (kind, started_at, ended_at, file, size, sha256, clear, verified, error)
SELECT 'command', CAST(unixepoch(json_extract(value, '$.made')) AS BIGINT) * 1000, CAST(unixepoch(json_extract(value, '$.made')) AS BIGINT) * 1000,
  json_extract(value, '$.file'), json_extract(value, '$.size'), '', COALESCE(json_extract(value, '$.clear'), 0), '', ''
FROM setting WHERE key = 'backup';
DELETE FROM setting WHERE key = 'backup';
