-- +goose Up
-- The overview asks at every look what goes on in all federations.
CREATE INDEX run_active ON run (id) WHERE state IN ('queued', 'starting', 'running');
