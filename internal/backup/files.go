package backup

import (
	"path"
	"strings"
)

// kind says what a file of the data directory is to a backup.
type kind int

const (
	skipped  kind = iota
	kept          // always in a backup
	artifact      // what a ServerApp left in its directory
	logged        // a log
	database      // an SQLite database, which is copied by itself
)

// rebuilt are entries at the top of the data directory that the server makes again, or that belong to this place alone.
var rebuilt = map[string]bool{"python": true, "downloads": true, "public_url": true, Folder: true, fromBackup: true, RollbackFile: true}

// keepersOwn are entries of a federation's directory that its keeper makes: its name, port, keys and caches. A restored server gets new
// ones, so that it never takes the engine of the original for its own.
var keepersOwn = map[string]bool{"keeper.json": true, "engine.json": true, "superexec.secret": true, "tls": true, "flwr_home": true,
	"apps_home": true}

// runsOwn are entries of a run's directory that its ServerApp needs only while it runs.
var runsOwn = map[string]bool{"tmp": true, "home": true, "flwr_home": true}

// kindOf sorts a file or directory of the data directory by its path, with slashes. The kind of a directory is skipped where nothing below
// it is in a backup.
func kindOf(name string, dir bool) kind {
	parts := strings.Split(name, "/")
	if rebuilt[parts[0]] {
		return skipped
	}
	if parts[0] == "federations" && len(parts) > 2 {
		if keepersOwn[parts[2]] {
			return skipped
		}
		if parts[2] == "runs" && len(parts) > 4 {
			switch {
			case runsOwn[parts[4]]:
				return skipped
			case parts[4] == "work":
				return artifact
			}
		}
	}
	if dir {
		return kept
	}
	return kindOfFile(path.Base(name))
}

func kindOfFile(base string) kind {
	for _, end := range []string{".lock", ".sock", "-wal", "-shm", "-journal"} {
		if strings.HasSuffix(base, end) {
			return skipped
		}
	}
	switch {
	case strings.HasPrefix(base, ".same-"), strings.HasPrefix(base, partPrefix):
		return skipped
	case strings.HasSuffix(base, ".log"), strings.Contains(base, ".log."):
		return logged
	case strings.HasSuffix(base, ".db"):
		return database
	}
	return kept
}
