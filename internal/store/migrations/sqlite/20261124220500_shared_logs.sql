-- +goose Up
-- Whether the agent of a SuperNode sends its logs: its owner says so on their machine.
ALTER TABLE node_key ADD COLUMN shares_logs BIGINT NOT NULL DEFAULT 0;
