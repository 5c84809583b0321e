-- +goose Up
ALTER TABLE run ADD COLUMN deleted_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN deleted_by TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN purging_at BIGINT NOT NULL DEFAULT 0; -- from then on it cannot be restored
ALTER TABLE run ADD COLUMN purged_at BIGINT NOT NULL DEFAULT 0; -- its rows and files are gone; this row stays
CREATE INDEX run_deleted ON run (federation_id, id) WHERE deleted_at > 0;
