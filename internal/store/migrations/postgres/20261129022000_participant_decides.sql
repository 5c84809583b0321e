-- +goose Up
-- The root object of the reply that a SuperNode announced, as the gateway saw it: also of replies that no ServerApp took.
ALTER TABLE timing ADD COLUMN reply_object TEXT NOT NULL DEFAULT '';

-- Which app versions run at a participant's: any, listed or ask; empty where the agent does not report it, or it is a plain SuperNode.
ALTER TABLE node_key ADD COLUMN approve TEXT NOT NULL DEFAULT '';
-- The newest line of the participant's ledger, as its agent reported it.
ALTER TABLE node_key ADD COLUMN ledger_n BIGINT NOT NULL DEFAULT 0;
ALTER TABLE node_key ADD COLUMN ledger_hash TEXT NOT NULL DEFAULT '';

-- What a participant decided about an app version, as the agent reported it. The agent decides by its own files, never by this table.
CREATE TABLE app_approval (
  request_id BIGINT NOT NULL REFERENCES request (id),
  app_hash   TEXT NOT NULL,
  state      TEXT NOT NULL, -- waiting, approved, rejected
  reason     TEXT NOT NULL DEFAULT '',
  changed_at BIGINT NOT NULL,
  mailed     BIGINT NOT NULL DEFAULT 0, -- the participant was mailed that it waits
  PRIMARY KEY (request_id, app_hash)
);
CREATE INDEX app_approval_by_app ON app_approval (app_hash);
