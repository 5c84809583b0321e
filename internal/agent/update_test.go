//go:build unix

package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// handsOut is a server with one program, and a machine that has joined it.
type handsOut struct {
	version string
	text    string // of the program
	sum     string // as the server names it; "": the right one
	breaks  int    // how many downloads break off half way
	part    bool   // one was resumed
	pinned  bool   // the machine knows the server's CA
}

func (h *handsOut) machine(t *testing.T) Machine {
	t.Helper()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(h.text))
		hash := hex.EncodeToString(sum[:])
		switch r.URL.Path {
		case "/api/v1/programs":
			if h.sum != "" {
				hash = h.sum
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"programs": []client.ProgramView{{OS: runtime.GOOS, Arch: runtime.GOARCH,
				Version: h.version,
				Name:    "p", Size: int64(len(h.text)), SHA256: hash}}})
		case "/download/p":
			w.Header().Set("Etag", `"`+hash+`"`)
			if h.breaks > 0 {
				h.breaks--
				w.Header().Set("Content-Length", strconv.Itoa(len(h.text)))
				_, _ = w.Write([]byte(h.text[:len(h.text)/2]))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			if r.Header.Get("Range") != "" && r.Header.Get("If-Range") == `"`+hash+`"` {
				h.part = true
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write([]byte(h.text[len(h.text)/2:]))
				return
			}
			_, _ = w.Write([]byte(h.text))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	if !h.pinned {
		return Machine{st: &state{Server: srv.URL, Pin: publicPin}}
	}
	return Machine{st: &state{Server: srv.URL, CAPEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: srv.Certificate().Raw}))}}
}

func script(version string) string {
	return "#!/bin/sh\necho blossomtune " + version + "\n# and more, so that half of it is not the whole\n"
}

func TestUpdate(t *testing.T) {
	for name, c := range map[string]struct {
		server    handsOut
		ours      string
		downgrade bool
		code      domain.Code
		changed   bool
	}{
		"newer": {handsOut{version: "1.3.0", text: script("1.3.0"), pinned: true}, "1.2.0", false, "", true},
		"newer by time": {handsOut{version: "0.0.0-20261129101112-a", text: script("0.0.0-20261129101112-a"), pinned: true},
			"0.0.0-20261128101112-b+dirty", false, "", true},
		"of one's own":     {handsOut{version: "1.3.0", text: script("1.3.0"), pinned: true}, "dev", false, "", true},
		"current":          {handsOut{version: "1.2.0", text: script("1.2.0") + "# another build\n", pinned: true}, "1.2.0", false, "", false},
		"the same file":    {handsOut{version: "1.0.0", text: script("1.2.0"), pinned: true}, "1.2.0", false, "", false},
		"older":            {handsOut{version: "1.1.0", text: script("1.1.0"), pinned: true}, "1.2.0", false, domain.Conflict, false},
		"older, asked for": {handsOut{version: "1.1.0", text: script("1.1.0"), pinned: true}, "1.2.0", true, "", true},
		"without an order": {handsOut{version: "dev", text: script("dev"), pinned: true}, "1.2.0", false, domain.Conflict, false},
		"another file": {handsOut{version: "1.3.0", text: script("1.3.0"), sum: hex.EncodeToString(make([]byte, 32)), pinned: true},
			"1.2.0", false, domain.Forbidden, false},
		"does not start":  {handsOut{version: "1.3.0", text: "nothing that runs", pinned: true}, "1.2.0", false, domain.Unavailable, false},
		"another version": {handsOut{version: "1.3.0", text: script("1.2.9"), pinned: true}, "1.2.0", false, domain.Unavailable, false},
		"breaks off":      {handsOut{version: "1.3.0", text: script("1.3.0"), breaks: 1, pinned: true}, "1.2.0", false, "", true},
		"another CA":      {handsOut{version: "1.3.0", text: script("1.3.0")}, "1.2.0", false, domain.Forbidden, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "blossomtune")
			before := script(c.ours)
			if err := os.WriteFile(path, []byte(before), 0o755); err != nil {
				t.Fatal(err)
			}
			m := c.server.machine(t)
			breaks := c.server.breaks > 0
			done, err := m.Update(t.Context(), UpdateOptions{Program: path, Version: c.ours, Downgrade: c.downgrade, Clock: time.Now})
			if domain.CodeOf(err) != c.code && (err != nil || c.code != "") {
				t.Fatalf("it ended with %v", err)
			}
			want, files := before, 1
			if c.changed {
				want, files = c.server.text, 2
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != want || (done.Old != "") != c.changed {
				t.Errorf("the program is %q (%v), %+v", got, err, done)
			}
			if all, err := os.ReadDir(dir); err != nil || len(all) != files {
				t.Errorf("%d files in the folder, want %d: %v", len(all), files, err)
			}
			if breaks && !c.server.part {
				t.Error("the download was not resumed")
			}
			if !c.changed {
				return
			}
			for _, want := range []string{before, c.server.text} { // and forward again
				version, err := RollBack(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(path); err != nil || string(got) != want || ProgramVersion(t.Context(), path) != version {
					t.Errorf("rolled back to %q (%v), version %s", got, err, version)
				}
			}
		})
	}
}

// Where nothing was updated yet, nothing can be rolled back.
func TestRollBackNeedsAnEarlierProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blossomtune")
	if err := os.WriteFile(path, []byte(script("1")), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := RollBack(t.Context(), path); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("it ended with %v", err)
	}
	if got := ProgramVersion(t.Context(), path); got != "1" {
		t.Errorf("the program is version %q", got)
	}
}
