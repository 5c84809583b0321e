-- +goose Up
-- Which record of the replies a metric's name stands for. The bare name belongs to one record at most; once a second record of a phase
-- has the same key, the metrics of both are named after their records.
CREATE TABLE metric_record (
  federation_id BIGINT NOT NULL,
  engine_run_id BIGINT NOT NULL,
  phase         TEXT NOT NULL,
  key           TEXT NOT NULL,
  record        TEXT NOT NULL, -- '': the key's own, which is never renamed
  bare          BIGINT NOT NULL CHECK (bare IN (0, 1)),
  PRIMARY KEY (federation_id, engine_run_id, phase, key, record)
);

-- How far runs came is known from what was asked, where their logs did not say it.
UPDATE run SET round = (SELECT MAX(e.round) FROM exchange e WHERE e.federation_id = run.federation_id AND e.engine_run_id = run.engine_run_id)
WHERE round = 0 AND rounds > 0 AND (SELECT MAX(e.round) FROM exchange e WHERE e.federation_id = run.federation_id AND e.engine_run_id = run.engine_run_id) BETWEEN 1 AND run.rounds;
