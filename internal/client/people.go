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

// AdminChange makes a person an admin, or ends that.
type AdminChange struct {
	Admin bool `json:"admin"`
}

// Role is a role that a person was given in a federation.
type Role struct {
	PersonID int64  `json:"person_id"`
	Email    string `json:"email"`
	Name     string `json:"name"`
	Role     string `json:"role" enum:"viewer,manager"`
}

// RoleChange gives a person a role in a federation, or takes it away.
type RoleChange struct {
	Email string `json:"email" maxLength:"254" doc:"A person who is not known yet gets the role when they prove the address"`
	Role  string `json:"role" enum:"viewer,manager,none"`
}

// NewToken is an API token to create.
type NewToken struct {
	Name  string `json:"name" minLength:"1" maxLength:"120" doc:"What it is for"`
	Scope string `json:"scope" enum:"all,read" doc:"read: it changes nothing"`
	Days  int    `json:"days" minimum:"1" maximum:"366" doc:"How long it works"`
}

// CreatedToken is a new API token with its secret, which is shown only here.
type CreatedToken struct {
	PersonToken
	Token string `json:"token"`
}

// ErasedPerson is what is left of a person.
type ErasedPerson struct {
	ID   int64  `json:"id"`
	Name string `json:"name" doc:"What they are called from now on"`
}
