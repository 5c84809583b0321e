package client

import (
	"time"
)

// Me is the caller.
type Me struct {
	Email string `json:"email"`
	Name  string `json:"name"`
	Admin bool   `json:"admin"`
}

// JoinCommand is what a participant runs. The token in it is given out once.
type JoinCommand struct {
	URL       string    `json:"url"`
	Token     string    `json:"token"`
	Command   string    `json:"command" doc:"For sh and PowerShell. It pipes the token, so that other users of the machine cannot read it in the process list."`
	ExpiresAt time.Time `json:"expires_at"`
}

// Challenge is a text to be signed.
type Challenge struct {
	Challenge string `json:"challenge" doc:"To be signed with ssh-keygen -Y sign -n blossomtune"`
}

// UploadKey enrols a key that was made by hand.
type UploadKey struct {
	PublicKey string `json:"public_key" maxLength:"1024" doc:"PEM"`
	Challenge string `json:"challenge" maxLength:"200"`
	Signature string `json:"signature" maxLength:"4096" doc:"What ssh-keygen wrote"`
}

// UploadedKey is an enrolled key.
type UploadedKey struct {
	Fingerprint string `json:"fingerprint"`
	Partition   int    `json:"partition"`
}
