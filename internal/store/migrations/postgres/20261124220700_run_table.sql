-- +goose Up
-- What the table of runs is searched, grouped and sorted by, so that a page of it reads no metric and decodes no JSON.

-- One row a metric of a run: of the federation's values (node 0), kept with every value that comes; once a run has ended, of the
-- participants' mean where the app tells no value for the federation (mean = 1).
CREATE TABLE metric_summary (
  federation_id BIGINT NOT NULL,
  engine_run_id BIGINT NOT NULL,
  phase         TEXT NOT NULL,
  name          TEXT NOT NULL,
  mean          BIGINT NOT NULL CHECK (mean IN (0, 1)),
  last_round    BIGINT NOT NULL,
  last_value    DOUBLE PRECISION, -- null: NaN
  min_round     BIGINT NOT NULL,
  min_value     DOUBLE PRECISION, -- null: every value was NaN
  max_round     BIGINT NOT NULL,
  max_value     DOUBLE PRECISION,
  PRIMARY KEY (federation_id, engine_run_id, phase, name)
);
CREATE INDEX metric_whole ON metric (federation_id, engine_run_id, id) WHERE node_id = 0;

-- The effective run config: the app's defaults with what the run changed. num is there for numbers and truth values.
CREATE TABLE run_param (
  run_id BIGINT NOT NULL REFERENCES run (id),
  key    TEXT NOT NULL,
  num    DOUBLE PRECISION,
  text   TEXT NOT NULL,
  PRIMARY KEY (run_id, key)
);

-- The names that runs of a federation have values for: config keys (phase '') and metrics.
CREATE TABLE run_column (
  federation_id BIGINT NOT NULL,
  phase         TEXT NOT NULL,
  name          TEXT NOT NULL,
  PRIMARY KEY (federation_id, phase, name)
);

CREATE TABLE run_tag (
  run_id        BIGINT NOT NULL REFERENCES run (id),
  federation_id BIGINT NOT NULL,
  tag           TEXT NOT NULL,
  PRIMARY KEY (run_id, tag)
);
CREATE INDEX run_tag_by_tag ON run_tag (federation_id, tag);

CREATE TABLE run_search (
  run_id BIGINT PRIMARY KEY REFERENCES run (id),
  text   TEXT NOT NULL -- lower case
);
CREATE INDEX run_by_federation ON run (federation_id, id);

INSERT INTO metric_summary (federation_id, engine_run_id, phase, name, mean, last_round, last_value, min_round, min_value, max_round, max_value)
SELECT DISTINCT federation_id, engine_run_id, phase, name, 0,
  FIRST_VALUE(round) OVER l, FIRST_VALUE(value) OVER l, FIRST_VALUE(round) OVER a, FIRST_VALUE(value) OVER a, FIRST_VALUE(round) OVER z, FIRST_VALUE(value) OVER z
FROM metric WHERE node_id = 0
WINDOW l AS (PARTITION BY federation_id, engine_run_id, phase, name ORDER BY round DESC),
  a AS (PARTITION BY federation_id, engine_run_id, phase, name ORDER BY value ASC NULLS LAST, round),
  z AS (PARTITION BY federation_id, engine_run_id, phase, name ORDER BY value DESC NULLS LAST, round);

INSERT INTO run_param (run_id, key, num, text)
SELECT r.id, k.value ->> 'Key',
  CASE WHEN k.value ->> 'Kind' = 'bool' THEN CASE WHEN COALESCE(c.value ->> 'value', k.value ->> 'Default') = 'true' THEN 1 ELSE 0 END
    WHEN k.value ->> 'Kind' <> 'string' THEN CAST(COALESCE(c.value ->> 'value', k.value ->> 'Default') AS DOUBLE PRECISION) END,
  COALESCE(c.value ->> 'value', k.value ->> 'Default')
FROM run r JOIN app_version v ON v.hash = r.app_hash CROSS JOIN LATERAL jsonb_array_elements(v.config::jsonb) AS k (value)
  LEFT JOIN LATERAL jsonb_each(r.config::jsonb) AS c (key, value) ON c.key = k.value ->> 'Key';

INSERT INTO run_tag (run_id, federation_id, tag) SELECT DISTINCT r.id, r.federation_id, t.value FROM run r CROSS JOIN LATERAL jsonb_array_elements_text(r.tags::jsonb) AS t (value);
INSERT INTO run_search (run_id, text) SELECT id, LOWER(name || chr(10) || app_id || ' ' || app_version || chr(10) || app_hash || chr(10) || note || chr(10) || tags) FROM run;
INSERT INTO run_column (federation_id, phase, name) SELECT DISTINCT federation_id, phase, name FROM metric_summary;
INSERT INTO run_column (federation_id, phase, name) SELECT DISTINCT r.federation_id, '', p.key FROM run r JOIN run_param p ON p.run_id = r.id;
