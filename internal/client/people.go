package client

import (
	"time"
)

// Person is somebody who is known to this server.
type Person struct {
	ID           int64     `json:"id"`
	Email        string    `json:"email"`
	Name         string    `json:"name"`
	Organisation string    `json:"organisation"`
	Admin        bool      `json:"admin"`
	CreatedAt    time.Time `json:"created_at"`
}

// PersonSession is one place where a person is signed in.
type PersonSession struct {
	ID         int64     `json:"id"`
	Address    string    `json:"address"`
	Agent      string    `json:"agent" doc:"What the browser calls itself"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// PersonToken is an API token, without its secret.
type PersonToken struct {
	ID         int64      `json:"id"`
	Name       string     `json:"name"`
	Scope      string     `json:"scope"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty" doc:"Missing if it was never used"`
	ExpiresAt  time.Time  `json:"expires_at"`
}

// PersonAccess is where a person is signed in, and their API tokens.
type PersonAccess struct {
	Sessions []PersonSession `json:"sessions"`
	Tokens   []PersonToken   `json:"tokens"`
}
