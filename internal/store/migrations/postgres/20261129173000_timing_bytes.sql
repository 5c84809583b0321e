-- +goose Up
-- What went to and from the SuperNode because of a message: its page tells what left in each round. 0 for messages from before.
ALTER TABLE timing ADD COLUMN bytes_up BIGINT NOT NULL DEFAULT 0;
ALTER TABLE timing ADD COLUMN bytes_down BIGINT NOT NULL DEFAULT 0;
