-- +goose Up
-- The round in which a run asked last, which need not be its highest.
CREATE INDEX exchange_by_asked ON exchange (federation_id, engine_run_id, asked_at, round);
