package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"blossomtune/internal/api"
	"blossomtune/internal/config"
)

// downloads makes a folder as make dist does, with a program for each platform. It returns their hashes by name.
func downloads(t *testing.T) (dir string, sums map[string]string) {
	t.Helper()
	dir, sums = t.TempDir(), map[string]string{}
	var list strings.Builder
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"blossomtune-linux-amd64", "blossomtune-linux-arm64", "blossomtune-darwin-amd64", "blossomtune-darwin-arm64", "blossomtune-windows-amd64.exe", "blossomtune-windows-arm64.exe"} {
		text := "the program " + name
		sum := sha256.Sum256([]byte(text))
		sums[name] = hex.EncodeToString(sum[:])
		write(name, text)
		list.WriteString(sums[name] + "  " + name + "\n")
	}
	write("VERSION", "2.0.0\n")
	write("SHA256SUMS", list.String())
	return dir, sums
}

// Everyone can list and download the programs, whole or from where a download broke off, with the hash that is shown.
func TestProgramsForParticipants(t *testing.T) {
	dir, sums := downloads(t)
	s := newSiteWith(t, func(c *config.Config) { c.Downloads = dir })
	var list api.Programs
	if err := json.Unmarshal([]byte(s.get("stranger", "/api/v1/programs").body), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Programs) != 6 || list.Version != "test" {
		t.Fatalf("the list: %+v", list)
	}
	for _, p := range list.Programs {
		path := strings.TrimPrefix(p.URL, s.app.PublicURL())
		whole := s.get("stranger", path)
		sum := sha256.Sum256([]byte(whole.body))
		if whole.status != http.StatusOK || p.SHA256 != sums[p.Name] || hex.EncodeToString(sum[:]) != p.SHA256 || p.Size != int64(len(whole.body)) || p.Version != "2.0.0" || whole.header.Get("Etag") != `"`+p.SHA256+`"` {
			t.Errorf("%s: %d %+v %v", path, whole.status, p, whole.header)
		}
		if part := s.asking("stranger", path, "Range", "bytes=4-"); part.status != http.StatusPartialContent || part.body != whole.body[4:] {
			t.Errorf("%s: a part: %d %q", path, part.status, part.body)
		}
		if a := s.asking("stranger", path, "If-None-Match", `"`+p.SHA256+`"`); a.status != http.StatusNotModified {
			t.Errorf("%s: unchanged: %d", path, a.status)
		}
	}
	if a := s.get("stranger", "/download/SHA256SUMS"); !strings.Contains(a.body, sums["blossomtune-linux-arm64"]+"  blossomtune-linux-arm64\n") {
		t.Errorf("SHA256SUMS: %d %s", a.status, a.body)
	}
	for _, name := range []string{"..%2fVERSION", "VERSION", "blossomtune-plan9-amd64"} {
		if a := s.get("stranger", "/download/"+name); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	for i := range 200 {
		if a := s.get("stranger", "/download/SHA256SUMS"); a.status == http.StatusTooManyRequests {
			return
		} else if i == 199 {
			t.Errorf("no limit on downloads: %d", a.status)
		}
	}
}

// Without the folder the server hands out its own binary.
func TestOwnProgramWithoutDownloads(t *testing.T) {
	s := newSiteWith(t, func(c *config.Config) { c.Downloads = filepath.Join(t.TempDir(), "none") })
	var list api.Programs
	if err := json.Unmarshal([]byte(s.get("stranger", "/api/v1/programs").body), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Programs) != 1 || list.Programs[0].OS != runtime.GOOS || list.Programs[0].Arch != runtime.GOARCH || list.Programs[0].Version != "test" {
		t.Fatalf("the list: %+v", list)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(self)
	if err != nil {
		t.Fatal(err)
	}
	a := s.send("stranger", http.MethodHead, "/download/"+list.Programs[0].Name, nil, nil)
	if a.status != http.StatusOK || list.Programs[0].Size != info.Size() {
		t.Errorf("our own program: %d, %d of %d bytes", a.status, list.Programs[0].Size, info.Size())
	}
}
