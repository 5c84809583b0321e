-- +goose Up
-- What people asked, kept before anything is looked up of who asks; it becomes a request, or a code for an earlier one, after the
-- answer. ref is what the asker was told.
CREATE TABLE ask (
  ref           TEXT PRIMARY KEY,
  federation_id BIGINT NOT NULL,
  email         TEXT NOT NULL,
  name          TEXT NOT NULL,
  organisation  TEXT NOT NULL,
  message       TEXT NOT NULL,
  invitation_id BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  request_id    BIGINT NOT NULL
);
CREATE INDEX ask_open ON ask (created_at) WHERE request_id = 0;
CREATE INDEX ask_by_time ON ask (created_at);
