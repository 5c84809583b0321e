-- +goose Up
-- How an agent keeps apps from the rest of its machine, and how many folders its owner lets them read.
ALTER TABLE node_key ADD COLUMN contained TEXT NOT NULL DEFAULT '';
ALTER TABLE node_key ADD COLUMN data_folders BIGINT NOT NULL DEFAULT 0;
