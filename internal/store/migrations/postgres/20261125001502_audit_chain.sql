-- +goose Up
-- Each entry of the audit carries the SHA-256 over its own content and the hash of the one before it. Entries from before this are
-- chained after the migration, in Go: SQL has no SHA-256 on both databases.
ALTER TABLE audit ADD COLUMN hash BYTEA;

-- The newest link of the chain, in one row, which every writer locks.
CREATE TABLE audit_head (
  id      BIGINT PRIMARY KEY CHECK (id = 1),
  last_id BIGINT NOT NULL,             -- the newest entry
  entries BIGINT NOT NULL,
  hash    BYTEA NOT NULL,             -- its hash
  since   BIGINT NOT NULL,             -- when the first entry was chained as it was written; 0: none was
  whole   BIGINT NOT NULL CHECK (whole IN (0, 1)) -- the entries from before are chained
);
INSERT INTO audit_head (id, last_id, entries, hash, since, whole) VALUES (1, 0, 0, decode(repeat('00', 32), 'hex'), 0, 0);
