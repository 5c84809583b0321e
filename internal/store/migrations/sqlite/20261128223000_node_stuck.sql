-- +goose Up
-- Why a SuperNode takes no part in runs although it is online: waiting, late, or empty.
ALTER TABLE node_key ADD COLUMN stuck TEXT NOT NULL DEFAULT '';
