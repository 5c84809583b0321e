-- +goose Up
-- Addresses that are notified. sealed holds URL and secrets, encrypted with a key of the data directory.
CREATE TABLE webhook (
  id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  federation_id BIGINT NOT NULL, -- 0: the instance
  name          TEXT NOT NULL,
  shape         TEXT NOT NULL CHECK (shape IN ('json', 'slack', 'matrix', 'text')),
  kinds         TEXT NOT NULL, -- JSON
  host          TEXT NOT NULL,
  private       BIGINT NOT NULL CHECK (private IN (0, 1)),
  paused        BIGINT NOT NULL CHECK (paused IN (0, 1)),
  sealed        BYTEA NOT NULL,
  created_by    TEXT NOT NULL,
  created_at    BIGINT NOT NULL
);
CREATE INDEX webhook_by_federation ON webhook (federation_id, id);

CREATE TABLE delivery (
  id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  webhook_id BIGINT NOT NULL REFERENCES webhook (id),
  notice_id  BIGINT NOT NULL REFERENCES notice (id),
  about      TEXT NOT NULL, -- of the notice: deliveries about the same thing keep their order
  state      TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'dead')),
  tries      BIGINT NOT NULL,
  next_at    BIGINT NOT NULL,
  status     BIGINT NOT NULL,
  last_error TEXT NOT NULL,
  took       BIGINT NOT NULL, -- milliseconds
  created_at BIGINT NOT NULL,
  sent_at    BIGINT NOT NULL
);
CREATE INDEX delivery_queued ON delivery (webhook_id, about, id) WHERE state = 'queued';
CREATE INDEX delivery_by_webhook ON delivery (webhook_id, id);
CREATE INDEX delivery_by_notice ON delivery (notice_id);
