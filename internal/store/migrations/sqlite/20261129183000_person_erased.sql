-- +goose Up
ALTER TABLE person ADD COLUMN erased_at BIGINT NOT NULL DEFAULT 0;

-- Entries from which personal data was erased: their hash in the chain is the one from before.
ALTER TABLE audit ADD COLUMN erased BIGINT NOT NULL DEFAULT 0 CHECK (erased IN (0, 1));
CREATE TABLE audit_erasure (
  audit_id  BIGINT NOT NULL,
  person_id BIGINT NOT NULL, -- who was erased; the entry person.erased has the digest of their rows
  hash      BLOB NOT NULL, -- of the entry as this erasure left it
  PRIMARY KEY (audit_id, person_id)
);
CREATE INDEX audit_erasure_by_person ON audit_erasure (person_id, audit_id);
