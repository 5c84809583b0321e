-- +goose Up
-- Where in the app a ClientApp's exception was raised, and which address it did not reach.
ALTER TABLE app_exit ADD COLUMN trouble TEXT NOT NULL DEFAULT '';
ALTER TABLE app_exit ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE app_exit ADD COLUMN file TEXT NOT NULL DEFAULT '';
ALTER TABLE app_exit ADD COLUMN file_line BIGINT NOT NULL DEFAULT 0;
ALTER TABLE app_exit ADD COLUMN func TEXT NOT NULL DEFAULT '';
ALTER TABLE app_exit ADD COLUMN code TEXT NOT NULL DEFAULT '';
