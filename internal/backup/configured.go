package backup

import (
	"path"
	"strings"

	"blossomtune/internal/config"
)

// Configured returns the protection that the settings choose.
func Configured(set config.Backup) (Protection, error) {
	p := Protection{Recipients: set.Recipient, Clear: set.Clear}
	if set.PassphraseFile != "" {
		var err error
		if p.Passphrase, err = ReadSecret(set.PassphraseFile); err != nil {
			return p, err
		}
	}
	return p, p.Check()
}

// Group sums up entries of a kind.
type Group struct {
	Name    string
	Entries int
	Bytes   int64
}

// Groups sums up what is in a backup.
func Groups(m Manifest) []Group {
	out := []Group{{Name: "Rows"}, {Name: "Engines"}, {Name: "Artifacts"}, {Name: "Logs"}, {Name: "Other files"}}
	for _, e := range m.Entries {
		g := &out[groupOf(e.Name)]
		g.Entries++
		g.Bytes += e.Size
	}
	return out
}

func groupOf(entry string) int {
	name, isData := strings.CutPrefix(entry, dataPrefix)
	parts := strings.Split(name, "/")
	switch {
	case strings.HasPrefix(entry, tablePrefix):
		return 0
	case !isData:
		return 4
	case kindOf(name, false) == artifact:
		return 2
	case kindOfFile(path.Base(name)) == logged:
		return 3
	case parts[0] == "federations":
		return 1
	}
	return 4
}

// CheckSettings returns an error if the protection that the settings choose cannot be used, so that a server says so when it starts and not
// at night. Where they choose none, there is no error.
func CheckSettings(set config.Backup) error {
	flag := "--backup-recipient"
	switch {
	case set.PassphraseFile != "":
		flag = "--backup-passphrase-file"
	case len(set.Recipient) == 0:
		return nil
	}
	_, err := Configured(set)
	if e := known(err); e != nil {
		e.Message = flag + ": " + e.Message
	}
	return err
}
