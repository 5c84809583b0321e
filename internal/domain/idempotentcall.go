package domain

import "time"

// IdempotentCall is a call of the API with an Idempotency-Key.
type IdempotentCall struct {
	PersonID  int64
	KeyHash   string // SHA-256 of the key, in hexadecimal digits
	Request   string // SHA-256 of method, path and body, in hexadecimal digits
	Status    int    // of the answer; 0 until there is one
	Answer    string // JSON; may be empty
	Withheld  bool   // the answer holds a secret and is not kept
	CreatedAt time.Time
}
