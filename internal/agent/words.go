package agent

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strconv"

	"blossomtune/internal/domain"
)

// errEnded: the server does not accept this machine's key any more.
func errEnded(h home, st *state) error {
	return domain.Errorf(domain.Forbidden, "Your access to %s has ended: the server does not accept this machine's key any more.", st.Name).
		Fix("Look at your status page for the reason. To come back, ask to join again; a new token makes a new key. %s can then be deleted.", h)
}

var exitCodeLine = regexp.MustCompile(`Exit Code: (\d{1,4})`)

// exitCodeIn finds the last of Flower's numbered exits in an app's output; 0 if there is none.
func exitCodeIn(output []byte) int {
	all := exitCodeLine.FindAllSubmatch(output, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(string(all[len(all)-1][1])) // the pattern gives at most four digits
	return n
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

func sizeOf(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}
