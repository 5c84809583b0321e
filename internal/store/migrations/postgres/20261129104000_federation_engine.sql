-- +goose Up
-- The SuperLink that a federation has chosen; empty: the server's default.
ALTER TABLE federation ADD COLUMN engine TEXT NOT NULL DEFAULT '';
