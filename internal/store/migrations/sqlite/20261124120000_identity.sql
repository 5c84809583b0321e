-- +goose Up
CREATE TABLE identity (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  person_id      BIGINT NOT NULL REFERENCES person (id),
  provider       TEXT NOT NULL,
  subject        TEXT NOT NULL,
  login          TEXT NOT NULL,
  name           TEXT NOT NULL,
  email          TEXT NOT NULL,
  email_verified BIGINT NOT NULL CHECK (email_verified IN (0, 1)),
  organisations  TEXT NOT NULL, -- JSON
  created_at     BIGINT NOT NULL,
  used_at        BIGINT NOT NULL,
  CONSTRAINT identity_subject UNIQUE (provider, subject)
);
CREATE INDEX identity_person ON identity (person_id);
