-- +goose Up
-- Whether ServerApps of a federation are kept from the web, and what was in force for each run.
ALTER TABLE federation ADD COLUMN no_web BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN sandbox TEXT NOT NULL DEFAULT '{}';
