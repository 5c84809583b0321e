package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/supernode"
	"blossomtune/internal/flower/wire"
)

// maxFAB is Flower's limit of an app's bytes.
const maxFAB = 10 << 20

// rehearsed returns the app version to rehearse: the named one, the one that was approved last, or the one that ran here last.
func (m Machine) rehearsed(what RehearsalOptions) ([]byte, error) {
	if what.File != "" {
		info, err := os.Stat(what.File)
		if err == nil && info.Size() > maxFAB {
			return nil, domain.Errorf(domain.Invalid, "%s is larger than a Flower App may be (10 MB).", what.File).At("fab")
		}
		fab, err := os.ReadFile(what.File)
		if err != nil {
			return nil, domain.Errorf(domain.Invalid, "The file %s cannot be read.", what.File).
				Fix("Name a FAB that flwr build made.").At("fab").Because(err)
		}
		return fab, nil
	}
	known, err := m.Apps()
	if err != nil {
		return nil, err
	}
	if what.App != "" {
		return m.namedFAB(what.App, known)
	}
	for _, v := range known {
		if v.State == approval.Approved {
			if fab, err := m.anyFAB(v.FAB); err == nil {
				return fab, nil
			}
		}
	}
	if fab, err := os.ReadFile(supernode.LastFAB(home(m.Dir).superNode())); err == nil {
		return fab, nil
	}
	return nil, domain.Errorf(domain.NotFound, "No app version is on this machine yet.").
		Fix("Name a file with --fab (ask a manager of the federation for it), or wait until the first message of a run has come.")
}

func (m Machine) namedFAB(prefix string, known []AppVersion) ([]byte, error) {
	var hashes []string
	for _, v := range known {
		hashes = append(hashes, v.FAB)
	}
	ran, _ := filepath.Glob(filepath.Join(home(m.Dir).superNode(), "fabs", "*.fab")) // the pattern is sound
	for _, f := range ran {
		if hash := strings.TrimSuffix(filepath.Base(f), ".fab"); !slices.Contains(hashes, hash) {
			hashes = append(hashes, hash)
		}
	}
	hash, err := approval.Find(prefix, hashes)
	if err != nil {
		return nil, err
	}
	return m.anyFAB(hash)
}

// anyFAB returns the bytes of a version that waits, was approved, or ran here.
func (m Machine) anyFAB(hash string) ([]byte, error) {
	fab, err := m.FAB(hash)
	if err == nil {
		return fab, nil
	}
	ran, readErr := os.ReadFile(filepath.Join(home(m.Dir).superNode(), "fabs", hash+".fab"))
	if readErr != nil || wire.ObjectID(ran) != hash {
		return nil, err
	}
	return ran, nil
}

// rehearsalFlags are those of join that a rehearsal needs as well.
func (j *joining) rehearsalFlags() string {
	var b strings.Builder
	if j.o.Dir != "" {
		fmt.Fprintf(&b, " --dir %q", j.o.Dir)
	}
	for _, dir := range j.o.Data {
		fmt.Fprintf(&b, " --data %q", dir)
	}
	return b.String()
}
