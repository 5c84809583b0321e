-- +goose Up
-- Tries to back the server up, and what became of them.
CREATE TABLE backup (
  id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
SELECT 'command', (extract(epoch FROM (value::json->>'made')::timestamptz) * 1000)::bigint, (extract(epoch FROM (value::json->>'made')::timestamptz) * 1000)::bigint,
  value::json->>'file', (value::json->>'size')::bigint, '', CASE value::json->>'clear' WHEN 'true' THEN 1 ELSE 0 END, '', ''
FROM setting WHERE key = 'backup';
DELETE FROM setting WHERE key = 'backup';
