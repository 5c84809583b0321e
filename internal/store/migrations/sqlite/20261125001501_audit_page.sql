-- +goose Up
-- The audit is looked through by action and by time.
CREATE INDEX audit_by_action ON audit (action, id);
CREATE INDEX audit_by_time ON audit (at);
