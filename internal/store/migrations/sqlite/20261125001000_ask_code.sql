-- +goose Up
-- What was told about the code under the id of an ask: of a request that was there before, the answers tell nothing.
ALTER TABLE ask ADD COLUMN code_tries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ask ADD COLUMN code_sent BIGINT NOT NULL DEFAULT 1;
ALTER TABLE ask ADD COLUMN code_sent_at BIGINT NOT NULL DEFAULT 0;
UPDATE ask SET code_sent_at = created_at;
