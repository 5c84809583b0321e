package client

import "time"

// Backups is what a server knows of its backups.
type Backups struct {
	Daily      string     `json:"daily,omitempty" doc:"Time of day (UTC) of scheduled backups; left out where none are scheduled"`
	Folder     string     `json:"folder"`
	KeepDaily  int        `json:"keep_daily" doc:"Of how many days the newest is kept"`
	KeepWeekly int        `json:"keep_weekly" doc:"Of how many weeks the newest is kept"`
	Next       *time.Time `json:"next,omitempty" doc:"When the next scheduled one is due"`
	Running    bool       `json:"running"`
	LastGood   *time.Time `json:"last_good,omitempty" doc:"When the newest backup that succeeded was complete"`
	Problem    string     `json:"problem,omitempty" doc:"Why scheduled backups need attention"`
	Remedy     string     `json:"remedy,omitempty"`
	Newest     []Backup   `json:"newest" doc:"The newest tries, the newest first"`
}

// Backup is one try to back the server up.
type Backup struct {
	ID        int64     `json:"id"`
	Kind      string    `json:"kind" enum:"command,admin,scheduled"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	File      string    `json:"file,omitempty"`
	Bytes     int64     `json:"bytes"`
	SHA256    string    `json:"sha256,omitempty"`
	Encrypted bool      `json:"encrypted"`
	Verified  string    `json:"verified,omitempty" doc:"content: opened and read; bytes: read back and compared, for lack of a key"`
	Error     string    `json:"error,omitempty"`
}
