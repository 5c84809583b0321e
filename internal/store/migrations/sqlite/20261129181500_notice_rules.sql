-- +goose Up
-- What is the case now and was notified of: SuperNodes that are offline, requests that wait, a disk that is almost full. A row goes when
-- its condition ends, so that the next time is notified again.
CREATE TABLE notice_open (
  federation_id BIGINT NOT NULL, -- 0: the instance
  kind          TEXT NOT NULL,
  subject       TEXT NOT NULL,
  at            BIGINT NOT NULL,
  PRIMARY KEY (federation_id, kind, subject)
);

-- After how long a federation's conditions are notified; 0: never.
CREATE TABLE notice_rules (
  federation_id BIGINT PRIMARY KEY,
  offline       BIGINT NOT NULL, -- milliseconds
  unconnected   BIGINT NOT NULL,
  waiting       BIGINT NOT NULL,
  remind        BIGINT NOT NULL CHECK (remind IN (0, 1))
);

-- When an approved person was last reminded to connect.
ALTER TABLE request ADD COLUMN reminded_at BIGINT NOT NULL DEFAULT 0;
