package client

import (
	"time"
)

// Artifact is a file that the ServerApp of a run wrote.
type Artifact struct {
	Path      string    `json:"path" doc:"Relative, with slashes; bytes that are not UTF-8 as %XX"`
	Size      int64     `json:"size" doc:"Bytes"`
	Problem   string    `json:"problem,omitempty" doc:"Why it cannot be downloaded: what it is instead of a file, or that it cannot be read"`
	ChangedAt time.Time `json:"changed_at"`
}
