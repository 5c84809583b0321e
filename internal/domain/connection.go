package domain

import "crypto/sha256"

// Connection is what a participant's machine needs to reach this server.
type Connection struct {
	PublicURL string // without a slash at the end
	SuperLink string // host:port
	Pin       string // the CA's SHA-256 in hex, or "public"
	CAPEM     []byte // empty where the address is publicly trusted
	Flwr      string // the pinned version of Flower
}

// EnrolmentDigest returns what the holder of a key signs to prove that they have it: the digest of a label and of an id, which is that of a
// join token or, when a key is replaced, the fingerprint of the old one. The label keeps the proof from being of use for anything else.
func EnrolmentDigest(id string) [sha256.Size]byte {
	return sha256.Sum256([]byte("blossomtune-enrol:" + id))
}
