-- +goose Up
-- What failed in a run is looked at while it is shown.
CREATE INDEX exchange_failed ON exchange (federation_id, engine_run_id) WHERE failed = 1;
