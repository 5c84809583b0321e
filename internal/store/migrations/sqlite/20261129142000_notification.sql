-- +goose Up
-- What people are to be notified of, written with the change that it is about. sorted_at is 0 until it was handed to its recipients.
CREATE TABLE notice (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  kind          TEXT NOT NULL,
  federation_id BIGINT NOT NULL, -- 0: the instance
  about         TEXT NOT NULL,
  facts         TEXT NOT NULL, -- JSON
  at            BIGINT NOT NULL,
  sorted_at     BIGINT NOT NULL
);
CREATE INDEX notice_unsorted ON notice (id) WHERE sorted_at = 0;
CREATE INDEX notice_by_time ON notice (at);

CREATE TABLE notice_pref (
  person_id     BIGINT NOT NULL REFERENCES person (id),
  federation_id BIGINT NOT NULL, -- 0: the instance
  kind          TEXT NOT NULL,
  mode          TEXT NOT NULL CHECK (mode IN ('off', 'now', 'daily')),
  PRIMARY KEY (person_id, federation_id, kind)
);
CREATE INDEX notice_pref_by_kind ON notice_pref (federation_id, kind);

-- Notices that wait to be mailed.
CREATE TABLE notice_item (
  person_id BIGINT NOT NULL REFERENCES person (id),
  notice_id BIGINT NOT NULL REFERENCES notice (id),
  due_at    BIGINT NOT NULL,
  daily     BIGINT NOT NULL CHECK (daily IN (0, 1)),
  PRIMARY KEY (person_id, notice_id)
);
CREATE INDEX notice_item_due ON notice_item (due_at);
CREATE INDEX notice_item_notice ON notice_item (notice_id);

-- How many notification mails a person got in the hour that began at since.
CREATE TABLE notice_meter (
  person_id BIGINT PRIMARY KEY REFERENCES person (id),
  since     BIGINT NOT NULL,
  mails     BIGINT NOT NULL
);
