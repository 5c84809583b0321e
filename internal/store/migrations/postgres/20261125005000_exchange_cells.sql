-- +goose Up
-- The participation map and a participant's part read many rounds of one SuperNode: all that they need is in the index.
DROP INDEX exchange_by_node;
CREATE INDEX exchange_by_node ON exchange (federation_id, node_id, engine_run_id, round, phase, replied_at, failed);
