package agent

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strconv"

	"blossomtune/internal/domain"
)

// Flower's numbered exits of a SuperNode, which it writes in its log: the process itself ends with 0 or 1.
const (
	exitBadKey     = 302
	exitNoTLS      = 303
	exitConnection = 305
	exitAddress    = 600
	exitPath       = 604
	exitVersion    = 606
)

// final returns why a SuperNode that ended with a numbered exit cannot be started again, or nil if a new start may heal it.
func final(code int, h home) error {
	switch code {
	case exitBadKey:
		return domain.Errorf(domain.Invalid, "Flower cannot use the key in %s (exit code 302).", h).
			Fix("Restore the key file from a backup, or ask the federation's manager to revoke your access, ask to join again and use the new token.")
	case exitVersion:
		return domain.Errorf(domain.Conflict, "The federation's Flower has another version than this machine's (exit code 606).").
			Fix("Update blossomtune to the version that the server runs, and start it again with the same command.")
	case exitNoTLS, exitAddress, exitPath:
		return domain.Errorf(domain.Invalid, "Flower refuses the connection details in %s (exit code %d).", h, code).
			Fix("Get a new token on your status page and run the command shown there. The end of %s says more.", h.logFile())
	}
	return nil
}

// errEnded: the server does not accept this machine's key any more.
func errEnded(h home, st *state) error {
	return domain.Errorf(domain.Forbidden, "Your access to %s has ended: the server does not accept this machine's key any more.", st.Name).
		Fix("Look at your status page for the reason. To come back, ask to join again; a new token makes a new key. %s can then be deleted.", h)
}

var (
	exitCodeLine = regexp.MustCompile(`Exit Code: (\d{1,4})`)
	nodeIDLine   = regexp.MustCompile(`SuperNode ID: (\d{1,20})`)
)

// exitCodeIn finds the last numbered exit in a SuperNode's output; 0 if there is none.
func exitCodeIn(output []byte) int {
	all := exitCodeLine.FindAllSubmatch(output, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(string(all[len(all)-1][1])) // the pattern gives at most four digits
	return n
}

func nodeIDIn(output []byte) uint64 {
	m := nodeIDLine.FindSubmatch(output)
	if m == nil {
		return 0
	}
	id, err := strconv.ParseUint(string(m[1]), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// maxTail bounds what is read of a log.
const maxTail = 256 << 10

// readFrom returns a log's content from an offset on: the newest of it where it is long, all where it was rotated meanwhile.
func readFrom(path string, offset int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil
	}
	if st.Size() < offset {
		offset = 0
	}
	offset = max(offset, st.Size()-maxTail)
	b, err := io.ReadAll(io.NewSectionReader(f, offset, maxTail))
	if err != nil {
		return nil
	}
	return ansi.ReplaceAll(b, nil)
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

// lastLines returns the last n lines that say something.
func lastLines(b []byte, n int) [][]byte {
	var out [][]byte
	lines := bytes.Split(b, []byte("\n"))
	for i := len(lines) - 1; i >= 0 && len(out) < n; i-- {
		if l := bytes.TrimSpace(lines[i]); len(l) > 0 {
			out = append([][]byte{l}, out...)
		}
	}
	return out
}
