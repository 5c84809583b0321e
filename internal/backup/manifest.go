// Package backup writes a server's data into one file, checks such a file, and restores it.
//
// A backup is a tar archive, compressed with zstd, one frame per entry, and then encrypted with age unless the caller asks for a clear
// one. Ordinary tools open it: age -d FILE | zstd -d | tar t. The entry about.json comes first and manifest.json last; the latter holds
// the size and SHA-256 of every other entry. A skippable zstd frame at the end holds the SHA-256 of all that precedes it.
package backup

import (
	"encoding/json"
	"fmt"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// Format is the version of the format that this program writes, and the newest that it reads.
const Format = 1

// Entries of every backup.
const (
	aboutName    = "about.json"
	manifestName = "manifest.json"
	sqliteName   = "database/blossomtune.db"
	tablePrefix  = "database/"   // of the tables of PostgreSQL,
	tableSuffix  = ".copy"       // in COPY's text format
	dataPrefix   = "data/"       // files of the data directory
	outsidePart  = "outside/"    // files that the settings name, which are elsewhere
	fromBackup   = "from-backup" // where they are restored, in the data directory
	maxAbout     = 4 << 20       // bytes of about.json
	maxManifest  = 256 << 20     // bytes of manifest.json
	maxWindow    = 32 << 20      // bytes of zstd's window
)

// About says what a backup is of. It is the first entry.
type About struct {
	Format    int        `json:"format"`
	Server    string     `json:"server"` // version of the program that made it
	Made      time.Time  `json:"made"`
	Host      string     `json:"host"`
	Database  store.Dump `json:"database"`
	Artifacts bool       `json:"artifacts"`
	Logs      bool       `json:"logs"`
}

// Entry is one entry of the archive.
type Entry struct {
	Name    string `json:"name"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
	Changed bool   `json:"changed,omitempty"` // the file became shorter while it was read; it is filled up with zeros
}

// Manifest lists what a backup holds. It is the last entry.
type Manifest struct {
	About
	Entries []Entry `json:"entries"`
	Skipped []Skip  `json:"skipped,omitempty"`
}

// Skip is a file that is not in the backup, and why.
type Skip struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Bytes is the size of all entries.
func (m Manifest) Bytes() (n int64) {
	for _, e := range m.Entries {
		n += e.Size
	}
	return n
}

func (a About) check() error {
	if a.Format < 1 || a.Format > Format {
		return domain.Errorf(domain.Conflict, "The backup has format %d; this version of BlossomTune reads up to %d.", a.Format, Format).
			Fix("Use the version that made it, or a newer one.")
	}
	return nil
}

func asJSON(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return nil, fmt.Errorf("writing the manifest: %w", err)
	}
	return append(b, '\n'), nil
}
