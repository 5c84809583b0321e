-- +goose Up
-- Who was enrolled in a run, online at its start, and asked, as they were then: it outlives what becomes of the federation.
CREATE TABLE run_participant (
  run_id         BIGINT NOT NULL REFERENCES run (id),
  request_id     BIGINT NOT NULL, -- 0: a SuperNode of which only the id is known
  node_id        BIGINT NOT NULL, -- 0: it never registered
  person_id      BIGINT NOT NULL,
  name           TEXT NOT NULL,
  organisation   TEXT NOT NULL,
  partition_id   BIGINT NOT NULL, -- -1 where it is not known
  partitions     BIGINT NOT NULL, -- the federation's total
  fingerprint    TEXT NOT NULL,
  online         BIGINT NOT NULL CHECK (online IN (0, 1)), -- at the run's start
  joined_at      BIGINT NOT NULL,
  asked_at       BIGINT NOT NULL,
  taken_at       BIGINT NOT NULL,
  contributed_at BIGINT NOT NULL,
  failed_at      BIGINT NOT NULL,
  PRIMARY KEY (run_id, request_id, node_id)
);
CREATE INDEX run_participant_by_person ON run_participant (person_id, run_id);
CREATE INDEX run_participant_by_request ON run_participant (request_id, run_id);

-- How many SuperNodes were asked, and how many of them gave a reply without an error; of ended runs.
ALTER TABLE run ADD COLUMN asked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN contributed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN participants_at BIGINT NOT NULL DEFAULT 0; -- 0: from before participants were kept

-- Of earlier runs it is known who was asked and what came back, nothing else.
INSERT INTO run_participant (run_id, request_id, node_id, person_id, name, organisation, partition_id, partitions, fingerprint, online, joined_at, asked_at, taken_at, contributed_at, failed_at)
SELECT r.id, COALESCE(q.id, 0), e.node_id, COALESCE(q.person_id, 0), COALESCE(q.name, ''), COALESCE(q.organisation, ''), COALESCE(k.partition_id, -1), r.total_partitions, COALESCE(k.fingerprint, ''), 0, 0,
  e.asked_at, e.replied_at, e.contributed_at, e.failed_at
FROM (
  SELECT federation_id, engine_run_id, node_id,
    COALESCE(MIN(NULLIF(asked_at, 0)), NULLIF(MAX(replied_at), 0), 1) AS asked_at,
    COALESCE(MIN(NULLIF(replied_at, 0)), 0) AS replied_at,
    COALESCE(MIN(CASE WHEN replied_at > 0 AND failed = 0 THEN replied_at END), 0) AS contributed_at,
    COALESCE(MIN(CASE WHEN failed = 1 THEN replied_at END), 0) AS failed_at
  FROM exchange GROUP BY federation_id, engine_run_id, node_id) e
JOIN run r ON r.federation_id = e.federation_id AND r.engine_run_id = e.engine_run_id
LEFT JOIN node_key k ON k.federation_id = e.federation_id AND k.node_id = e.node_id
LEFT JOIN request q ON q.id = k.request_id
WHERE e.node_id <> 0
ON CONFLICT DO NOTHING;
UPDATE run SET
  asked = (SELECT COUNT(*) FROM run_participant p WHERE p.run_id = run.id AND p.asked_at > 0),
  contributed = (SELECT COUNT(*) FROM run_participant p WHERE p.run_id = run.id AND p.contributed_at > 0)
WHERE ended_at > 0;
