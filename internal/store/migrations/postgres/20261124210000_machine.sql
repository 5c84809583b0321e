-- +goose Up
-- What an agent tells of its machine: what its clock is off in seconds, and the proxy it goes through.
ALTER TABLE node_key ADD COLUMN clock_off BIGINT NOT NULL DEFAULT 0;
ALTER TABLE node_key ADD COLUMN proxy TEXT NOT NULL DEFAULT '';
