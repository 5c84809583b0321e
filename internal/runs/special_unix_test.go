//go:build unix

package runs_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/receipt"
	"blossomtune/internal/store"
)

// specialFiles puts everything that is no regular file into the site's run, a file that no disk holds, and one whose name is no text.
func (s *site) specialFiles() {
	s.T.Helper()
	dir := s.Wrote(map[string]string{"model.npz": "x", "bad\xff\xfename.bin": "named"})
	must := func(err error) {
		s.T.Helper()
		if err != nil {
			s.T.Fatal(err)
		}
	}
	must(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	must(os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
	sock, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(s.T.TempDir(), "s"), Net: "unix"})
	must(err)
	s.T.Cleanup(func() { sock.Close() })
	must(os.Rename(sock.Addr().String(), filepath.Join(dir, "socket")))
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	must(err)
	must(sparse.Truncate(3 << 40))
	must(sparse.Close())
	must(syscall.Mkfifo(filepath.Join(dir, "..", "serverapp.log"), 0o600))
	if log := s.Server.Runs.Engine.LogFile(s.Fed.ID, s.Run.EngineRunID); log != filepath.Join(dir, "..", "serverapp.log") {
		s.T.Fatalf("the log is at %s", log)
	}
}

// What is no regular file is listed as what it is and refused in words; no request waits for it.
func TestSpecialFilesOfARunHangNothing(t *testing.T) {
	s := newSite(t)
	s.specialFiles()
	page := s.Get("participant", "/f/fed/runs/r-1")
	for _, words := range []string{"a FIFO", "a socket", "a symbolic link", "bad%FF%FEname.bin"} {
		if page.Status != http.StatusOK || !strings.Contains(page.Body, words) {
			t.Errorf("the page (%d) does not list %q", page.Status, words)
		}
	}
	for _, name := range []string{"fifo", "link", "socket"} {
		for _, path := range []string{"/f/fed/runs/r-1/artifacts/", "/f/fed/runs/r-1/preview/", "/api/v1/runs/r-1/artifacts/file?path="} {
			if a := s.Get("participant", path+name); a.Status != http.StatusConflict || !strings.Contains(a.Body, "regular files") {
				t.Errorf("%s%s: %d %s", path, name, a.Status, a.Body)
			}
		}
	}
	for _, path := range []string{"/f/fed/runs/r-1/artifacts/bad%25FF%25FEname.bin", "/api/v1/runs/r-1/artifacts/file?path=bad%25FF%25FEname.bin"} {
		if a := s.Get("participant", path); a.Status != http.StatusOK || a.Body != "named" {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	for _, kind := range []string{"page", "text", "search"} {
		if a := s.Get("participant", "/f/fed/runs/r-1/log/"+kind); a.Status >= 500 {
			t.Errorf("the log (%s), a FIFO: %d", kind, a.Status)
		}
	}
	if a := s.Get("viewer", "/f/fed/runs/r-1/artifacts.zip"); a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a zip of 3 TB: %d", a.Status)
	}
	if err := os.Remove(filepath.Join(s.Server.Runs.Engine.WorkDir(s.Fed.ID, s.Run.EngineRunID), "sparse")); err != nil {
		t.Fatal(err)
	}
	all := s.Get("viewer", "/f/fed/runs/r-1/artifacts.zip")
	z, err := zip.NewReader(bytes.NewReader([]byte(all.Body)), int64(len(all.Body)))
	if err != nil || len(z.File) != 2 || z.File[0].Name != "r-1/bad%FF%FEname.bin" {
		t.Errorf("the zip: %d %v", all.Status, err)
	}
}

// A run whose files cannot be hashed has a receipt that says so, and holds up no other run's.
func TestABadRunHoldsUpNoReceipt(t *testing.T) {
	s := newSite(t)
	s.specialFiles()
	other := s.Run
	other.ID, other.Place, other.Name, other.EngineRunID = 0, 0, "r-2", 43
	broken := other
	broken.Name, broken.EngineRunID, broken.EndedAt = "r-0", 41, broken.EndedAt.Add(-time.Hour)
	s.Put(func(tx *store.Tx) error {
		if err := tx.InsertRun(t.Context(), &broken); err != nil {
			return err
		}
		return tx.InsertRun(t.Context(), &other)
	})
	if err := os.MkdirAll(filepath.Dir(s.Server.Runs.Engine.WorkDir(s.Fed.ID, 41)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Server.Runs.Engine.WorkDir(s.Fed.ID, 41), nil, 0o600); err != nil { // a file where a directory should be
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Server.Runs.MakeReceipts(ctx); err != nil {
		t.Fatal(err)
	}
	key, err := receipt.ParseKey([]byte(s.Get("stranger", "/receipt-key.pem").Body))
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range []string{"r-0", "r-1", "r-2"} {
		st, _, err := receipt.Open([]byte(s.Get("participant", "/api/v1/runs/"+run+"/receipt").Body), key)
		if err != nil {
			t.Errorf("the receipt of %s: %v", run, err)
			continue
		}
		left, _ := json.Marshal(st.Predicate.LeftOut)
		if run == "r-0" && !strings.Contains(string(left), "artifact/.") {
			t.Errorf("%s leaves out %s", run, left)
		}
		if run != "r-1" {
			continue
		}
		for name, words := range map[string]string{"log": "a FIFO", "artifact/fifo": "a FIFO", "artifact/link": "a symbolic link", "artifact/socket": "a socket", "artifact/sparse": "at most"} {
			if !strings.Contains(st.Predicate.LeftOut[name], words) {
				t.Errorf("%s is left out because %q", name, st.Predicate.LeftOut[name])
			}
		}
		if len(st.Subject) != 3 {
			t.Errorf("the receipt is about %v", st.Subject)
		}
	}
}

// The server ends in time with every kind of job blocked: a mail server that says nothing, files that never end, a request whose body
// never comes, and a job that heeds nothing.
func TestTheServerStopsInTimeWhateverWaits(t *testing.T) {
	mailer, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mailer.Close()
	called := make(chan struct{}, 1)
	go func() {
		for {
			conn, err := mailer.Accept()
			if err != nil {
				return
			}
			called <- struct{}{}
			defer conn.Close()
		}
	}()
	s := newSiteWith(t, func(c *config.Config) {
		c.Mail.Host, c.Mail.Port, c.Mail.From, c.Mail.TLS = "127.0.0.1", mailer.Addr().(*net.TCPAddr).Port, "fl@example.org", "none"
	})
	s.specialFiles()
	s.Put(func(tx *store.Tx) error {
		return tx.InsertMail(t.Context(), &domain.Mail{To: "x@example.org", Subject: "x", Text: "x", State: domain.MailQueued, CreatedAt: time.Now()})
	})
	s.Server.Mail.Wake()
	<-called
	release := make(chan struct{})
	defer close(release)
	s.Server.Jobs.Go(func(context.Context) { <-release }) // heeds nothing
	conn, err := net.Dial("tcp", s.Server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /signin HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	const wait = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), wait)
	defer cancel()
	began := time.Now()
	if err := s.Server.Stop(ctx, false); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if took := time.Since(began); took > wait+time.Second {
		t.Errorf("stopping took %s", took)
	}
	if log, _ := os.ReadFile(s.Log); !strings.Contains(string(log), "part=jobs") {
		t.Error("the log does not say what was not waited for")
	}
}
