-- +goose Up
CREATE TABLE invitation (
  id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  federation_id BIGINT NOT NULL REFERENCES federation (id),
  hash          BYTEA NOT NULL UNIQUE, -- SHA-256 of the link's secret
  note          TEXT NOT NULL,
  email         TEXT NOT NULL, -- '' for anybody's
  domain        TEXT NOT NULL, -- '' for any
  uses          BIGINT NOT NULL CHECK (uses BETWEEN 1 AND 10000),
  used          BIGINT NOT NULL CHECK (used BETWEEN 0 AND uses),
  auto          BIGINT NOT NULL CHECK (auto IN (0, 1)),
  created_by    TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL,
  revoked_at    BIGINT NOT NULL
);
CREATE INDEX invitation_by_federation ON invitation (federation_id, id);

CREATE TABLE approval_rule (
  id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  federation_id BIGINT NOT NULL REFERENCES federation (id),
  kind          TEXT NOT NULL CHECK (kind IN ('domain', 'organisation')),
  value         TEXT NOT NULL,
  created_by    TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  CONSTRAINT approval_rule_value UNIQUE (federation_id, kind, value)
);

ALTER TABLE request ADD COLUMN invitation_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE federation ADD COLUMN proof TEXT NOT NULL DEFAULT 'both' CHECK (proof IN ('both', 'either'));
ALTER TABLE federation ADD COLUMN question TEXT NOT NULL DEFAULT '';
ALTER TABLE federation ADD COLUMN answer_needed BIGINT NOT NULL DEFAULT 0 CHECK (answer_needed IN (0, 1));
ALTER TABLE federation ADD COLUMN invitations_only BIGINT NOT NULL DEFAULT 0 CHECK (invitations_only IN (0, 1));
