-- +goose Up
-- What domain.NodeKey.Status says. Counts and pages of SuperNodes are read from the indexes alone, however many there are.
ALTER TABLE node_key ADD COLUMN status TEXT NOT NULL GENERATED ALWAYS AS (CASE
	WHEN revoked_at <> 0 THEN 'revoked' WHEN suspended_at <> 0 THEN 'suspended' WHEN first_at = 0 THEN 'never_seen'
	WHEN online = 0 THEN 'offline' WHEN stuck <> '' THEN 'stuck' ELSE 'online' END) STORED;
CREATE INDEX node_key_by_status ON node_key (federation_id, status, partition_id, id);
CREATE INDEX node_key_by_release ON node_key (federation_id, status, flwr);
CREATE INDEX node_key_by_node ON node_key (federation_id, node_id);
CREATE INDEX node_key_by_approve ON node_key (federation_id, approve);
DROP INDEX node_key_by_federation;
