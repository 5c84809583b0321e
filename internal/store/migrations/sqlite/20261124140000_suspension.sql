-- +goose Up
ALTER TABLE node_key ADD COLUMN suspended_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE node_key ADD COLUMN suspend_reason TEXT NOT NULL DEFAULT '';
