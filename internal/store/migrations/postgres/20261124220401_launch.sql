-- +goose Up
-- The order of the queue, when a run may start, why an admin launched it in spite of the board, and when it last came along.
ALTER TABLE run ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN not_before BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN override_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN progress_at BIGINT NOT NULL DEFAULT 0;
UPDATE run SET place = id;
-- JSON: the limits of runs that name none of their own. Minutes without a run after which the SuperLink stops; 0: never.
ALTER TABLE federation ADD COLUMN run_limits TEXT NOT NULL DEFAULT '{"no_progress_limit":1800000000000,"first_heartbeat_limit":600000000000}';
ALTER TABLE federation ADD COLUMN idle_stop BIGINT NOT NULL DEFAULT 0;
ALTER TABLE federation ADD COLUMN engine_idle BIGINT NOT NULL DEFAULT 0 CHECK (engine_idle IN (0, 1));
