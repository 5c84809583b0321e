-- +goose Up
-- What a search of requests looks through, in lower case; and an index for each order in which they are listed.
ALTER TABLE request ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE request SET search = LOWER(name || chr(10) || organisation || chr(10) || COALESCE((SELECT email FROM person WHERE person.id = request.person_id), '') || chr(10) || ref);
CREATE INDEX request_by_id ON request (federation_id, id);
CREATE INDEX request_by_name ON request (federation_id, LOWER(name), id);
CREATE INDEX request_by_organisation ON request (federation_id, LOWER(organisation), id);
CREATE INDEX request_by_partition ON request (federation_id, partition_id, id);
CREATE INDEX request_by_decision ON request (federation_id, decided_at, id);
CREATE INDEX request_of_person ON request (federation_id, person_id, id);
