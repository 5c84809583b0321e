-- +goose Up
-- What one SuperNode has taken part in, over all runs.
CREATE INDEX exchange_by_node ON exchange (federation_id, node_id, engine_run_id, round);
