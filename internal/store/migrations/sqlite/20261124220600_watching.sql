-- +goose Up
-- Pages read windows of a run, never all of it: by the order of arrival, by SuperNode, by round.
CREATE INDEX metric_by_id ON metric (federation_id, engine_run_id, id);
CREATE INDEX metric_by_node ON metric (federation_id, engine_run_id, node_id, round);
CREATE INDEX exchange_by_round ON exchange (federation_id, engine_run_id, round, phase);

-- What a round's metric comes to over all SuperNodes, worked out when its metrics have arrived.
CREATE TABLE metric_band (
  federation_id BIGINT NOT NULL,
  engine_run_id BIGINT NOT NULL,
  round         BIGINT NOT NULL,
  phase         TEXT NOT NULL,
  name          TEXT NOT NULL,
  upto          BIGINT NOT NULL, -- the newest metric in it
  nodes         BIGINT NOT NULL, -- SuperNodes that sent it
  odd           BIGINT NOT NULL, -- those of them that sent NaN or an infinity, which the next three leave out
  low           DOUBLE PRECISION,
  median        DOUBLE PRECISION,
  high          DOUBLE PRECISION,
  weighted      DOUBLE PRECISION, -- our mean by num-examples; null where it cannot be told
  has_whole     BIGINT NOT NULL CHECK (has_whole IN (0, 1)),
  whole         DOUBLE PRECISION, -- the app's own aggregate or evaluation; null: NaN
  PRIMARY KEY (federation_id, engine_run_id, phase, name, round)
);

-- Which metrics a run has: at most some hundred.
CREATE TABLE metric_name (
  federation_id BIGINT NOT NULL,
  engine_run_id BIGINT NOT NULL,
  phase         TEXT NOT NULL,
  name          TEXT NOT NULL,
  PRIMARY KEY (federation_id, engine_run_id, phase, name)
);

-- How many metrics of a run are kept, and how many were left out because of the limits.
CREATE TABLE metric_meter (
  federation_id BIGINT NOT NULL,
  engine_run_id BIGINT NOT NULL,
  kept          BIGINT NOT NULL, -- of SuperNodes
  dropped       BIGINT NOT NULL, -- of SuperNodes
  log_dropped   BIGINT NOT NULL, -- of the ServerApp's log
  rolled        BIGINT NOT NULL, -- metrics up to this id are in the bands
  PRIMARY KEY (federation_id, engine_run_id)
);

-- What the gateway saw of one message on its way to a SuperNode and back.
CREATE TABLE timing (
  federation_id BIGINT NOT NULL,
  engine_run_id BIGINT NOT NULL,
  message_id    TEXT NOT NULL,
  node_id       BIGINT NOT NULL,
  taken_at      BIGINT NOT NULL, -- the SuperNode got the message
  get_at        BIGINT NOT NULL, -- it asked for the first object
  got_at        BIGINT NOT NULL, -- it confirmed that it has all
  put_at        BIGINT NOT NULL, -- it announced its reply
  sent_at       BIGINT NOT NULL, -- the last object of the reply so far
  PRIMARY KEY (federation_id, engine_run_id, message_id)
);

CREATE TABLE traffic (
  federation_id BIGINT NOT NULL,
  engine_run_id BIGINT NOT NULL,
  node_id       BIGINT NOT NULL,
  bytes_up      BIGINT NOT NULL, -- from the SuperNode
  bytes_down    BIGINT NOT NULL, -- to it
  PRIMARY KEY (federation_id, engine_run_id, node_id)
);

-- When SuperNodes came and went.
CREATE TABLE presence (
  federation_id BIGINT NOT NULL,
  node_id       BIGINT NOT NULL,
  at            BIGINT NOT NULL,
  online        BIGINT NOT NULL CHECK (online IN (0, 1)),
  PRIMARY KEY (federation_id, node_id, at)
);
