-- +goose Up
ALTER TABLE api_token ADD COLUMN scope TEXT NOT NULL DEFAULT 'all' CHECK (scope IN ('read', 'all'));
CREATE INDEX api_token_person ON api_token (person_id);
CREATE INDEX session_person ON session (person_id);
