package web_test

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"blossomtune/internal/client"
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
	for _, name := range []string{"blossomtune-linux-amd64", "blossomtune-linux-arm64", "blossomtune-darwin-amd64",
		"blossomtune-darwin-arm64", "blossomtune-windows-amd64.exe", "blossomtune-windows-arm64.exe"} {
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
	var list client.Programs
	if err := json.Unmarshal([]byte(s.Get("stranger", "/api/v1/programs").Body), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Programs) != 6 || list.Version != "test" {
		t.Fatalf("the list: %+v", list)
	}
	for _, p := range list.Programs {
		path := strings.TrimPrefix(p.URL, s.Server.PublicURL())
		whole := s.Get("stranger", path)
		sum := sha256.Sum256([]byte(whole.Body))
		if whole.Status != http.StatusOK || p.SHA256 != sums[p.Name] || hex.EncodeToString(sum[:]) != p.SHA256 ||
			p.Size != int64(len(whole.Body)) || p.Version != "2.0.0" || whole.Header.Get("Etag") != `"`+p.SHA256+`"` {
			t.Errorf("%s: %d %+v %v", path, whole.Status, p, whole.Header)
		}
		if part := s.GetWith("stranger", path, "Range", "bytes=4-"); part.Status != http.StatusPartialContent || part.Body != whole.Body[4:] {
			t.Errorf("%s: a part: %d %q", path, part.Status, part.Body)
		}
		if a := s.GetWith("stranger", path, "If-None-Match", `"`+p.SHA256+`"`); a.Status != http.StatusNotModified {
			t.Errorf("%s: unchanged: %d", path, a.Status)
		}
	}
	if a := s.Get("stranger", "/download/SHA256SUMS"); !strings.Contains(a.Body,
		sums["blossomtune-linux-arm64"]+"  blossomtune-linux-arm64\n") {
		t.Errorf("SHA256SUMS: %d %s", a.Status, a.Body)
	}
	for _, name := range []string{"..%2fVERSION", "VERSION", "blossomtune-plan9-amd64"} {
		if a := s.Get("stranger", "/download/"+name); a.Status != http.StatusNotFound {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
	for i := range 200 {
		if a := s.Get("stranger", "/download/SHA256SUMS"); a.Status == http.StatusTooManyRequests {
			return
		} else if i == 199 {
			t.Errorf("no limit on downloads: %d", a.Status)
		}
	}
}

// Without the folder the server hands out its own binary.
func TestOwnProgramWithoutDownloads(t *testing.T) {
	s := newSiteWith(t, func(c *config.Config) { c.Downloads = filepath.Join(t.TempDir(), "none") })
	var list client.Programs
	if err := json.Unmarshal([]byte(s.Get("stranger", "/api/v1/programs").Body), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Programs) != 1 || list.Programs[0].OS != runtime.GOOS || list.Programs[0].Arch != runtime.GOARCH ||
		list.Programs[0].Version != "test" {
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
	a := s.Send("stranger", http.MethodHead, "/download/"+list.Programs[0].Name, nil, nil)
	if a.Status != http.StatusOK || list.Programs[0].Size != info.Size() {
		t.Errorf("our own program: %d, %d of %d bytes", a.Status, list.Programs[0].Size, info.Size())
	}
}

// The status page shows a block for each system, with the visitor's own open, the hashes of this server's programs, and the token nowhere
// but in the environment of join. The bundle and the mail hold the same without a token.
func TestStatusPageShowsWhatToPaste(t *testing.T) {
	dir, sums := downloads(t)
	s := newSiteWith(t, func(c *config.Config) { c.Downloads = dir })
	for agent, open := range map[string]string{"Mozilla/5.0 (Windows NT 10.0; Win64; x64)": "Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)": "macOS", "Mozilla/5.0 (X11; Linux x86_64)": "Linux"} {
		a := s.Send("participant", http.MethodPost, "/me/fed/token", url.Values{"approve": {"ask"}},
			func(r *http.Request) { r.Header.Set("User-Agent", agent) })
		page := html.UnescapeString(a.Body)
		for name, sum := range sums {
			if !strings.Contains(page, name) || !strings.Contains(page, sum) {
				t.Errorf("%s: %s or its hash is missing: %d", agent, name, a.Status)
			}
		}
		_, after, _ := strings.Cut(page, `name="join-command" open`)
		if at := strings.Index(after, "<span>"); at < 0 || !strings.HasPrefix(after[at:], "<span>"+open+"</span>") ||
			strings.Count(page, `name="join-command"`) != 3 {
			t.Errorf("%s: another system is open than %s", agent, open)
		}
		want := regexp.MustCompile(`BLOSSOMTUNE_JOIN_TOKEN=[0-9a-f]{64}\.\S+ "\$d/blossomtune" join ` + regexp.QuoteMeta(s.Server.PublicURL()) +
			` --approve ask`)
		if !want.MatchString(page) || !strings.Contains(page, "curl -fk ") || strings.Contains(page, "--token") {
			t.Errorf("%s: the command is not as it should be:\n%s", agent, page)
		}
	}
	bundle := s.Get("participant", "/me/fed/bundle.zip")
	z, err := zip.NewReader(strings.NewReader(bundle.Body), int64(len(bundle.Body)))
	if err != nil {
		t.Fatal(err)
	}
	for name, sum := range map[string]string{"fed/connect.sh": sums["blossomtune-darwin-arm64"],
		"fed/connect.ps1": sums["blossomtune-windows-arm64.exe"], "fed/README.txt": sums["blossomtune-linux-amd64"]} {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(f)
		if err != nil || !strings.Contains(string(text), sum) || strings.Contains(string(text), "JOIN_TOKEN") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	mails, err := s.Server.Mail.Mails(t.Context(), 0, 50)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mails {
		if strings.HasPrefix(m.Subject, "You are in") {
			if !strings.Contains(m.Text, sums["blossomtune-linux-amd64"]) || !strings.Contains(m.Text, "/download/") ||
				strings.Contains(m.Text, "JOIN_TOKEN") {
				t.Errorf("the mail lacks the commands:\n%s", m.Text)
			}
			return
		}
	}
	t.Error("nobody got a mail that they are in")
}
