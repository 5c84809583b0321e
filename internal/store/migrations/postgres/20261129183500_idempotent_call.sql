-- +goose Up
-- What calls of the API with an Idempotency-Key were answered: the same call again gets the same answer. Kept for a day.
CREATE TABLE idempotent_call (
  person_id  BIGINT NOT NULL,
  key_hash   TEXT NOT NULL,   -- SHA-256 of the key
  request    TEXT NOT NULL,   -- SHA-256 of method, path and body
  status     BIGINT NOT NULL, -- of the answer; 0 until there is one
  answer     TEXT NOT NULL,
  withheld   BIGINT NOT NULL CHECK (withheld IN (0, 1)), -- the answer holds a secret and is not kept
  created_at BIGINT NOT NULL,
  PRIMARY KEY (person_id, key_hash)
);
CREATE INDEX idempotent_call_by_age ON idempotent_call (created_at);
