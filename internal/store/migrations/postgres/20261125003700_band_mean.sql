-- +goose Up
-- The mean of a round's participants, each counted once: what a comparison shows where the app has no value of its own.
ALTER TABLE metric_band ADD COLUMN mean DOUBLE PRECISION; -- of the finite values; null without any
UPDATE metric_band SET mean = (SELECT AVG(m.value) FROM metric m WHERE m.federation_id = metric_band.federation_id AND m.engine_run_id = metric_band.engine_run_id
  AND m.round = metric_band.round AND m.phase = metric_band.phase AND m.name = metric_band.name AND m.node_id <> 0 AND m.value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308);
