package program

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// other is a platform that this test does not run on.
var other = map[bool]string{true: "blossomtune-darwin-arm64", false: "blossomtune-linux-arm64"}[runtime.GOOS == "linux"]

func TestOwnProgramIsAlwaysThere(t *testing.T) {
	s := New(Options{Dir: filepath.Join(t.TempDir(), "missing"), Version: "1.2.3", Log: slog.New(slog.DiscardHandler)})
	all := s.List()
	if len(all) != 1 || all[0].OS != runtime.GOOS || all[0].Arch != runtime.GOARCH || all[0].Version != "1.2.3" {
		t.Fatalf("without a folder: %+v", all)
	}
	f, p, err := s.Open(all[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if n, err := io.Copy(h, f); err != nil || n != p.Size || hex.EncodeToString(h.Sum(nil)) != p.SHA256 {
		t.Errorf("the file does not agree with its entry: %d bytes, %v, %+v", n, err, p)
	}
	if _, _, err := s.Open(other); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("a program that is not there: %v", err)
	}
}

// A file that does not agree with SHA256SUMS is not handed out; one that is replaced together with its sum is.
func TestFolderMustAgreeWithItsSums(t *testing.T) {
	dir := folder(t, map[string]string{"VERSION": "2.0.0\n", other: "first", "SHA256SUMS": sum("first") + "  " + other + "\n"})
	var log strings.Builder
	s := New(Options{Dir: dir, Version: "1.2.3", Log: slog.New(slog.NewTextHandler(&log, nil))})
	has := func(text string) bool {
		f, p, err := s.Open(other)
		if err != nil {
			return false
		}
		defer f.Close()
		got, err := io.ReadAll(f)
		return err == nil && string(got) == text && p.SHA256 == sum(text) && p.Version == "2.0.0" &&
			strings.Contains(Sums(s.List()), sum(text)+"  "+other+"\n")
	}
	if !has("first") {
		t.Fatalf("the program is not handed out: %+v; %s", s.List(), &log)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(other, "broken in two")
	if _, _, err := s.Open(other); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("a damaged program is handed out: %v", err)
	}
	_ = s.List()
	if n := strings.Count(log.String(), "does not have the hash"); n != 1 {
		t.Errorf("it is logged %d times:\n%s", n, &log)
	}
	write(other, "the second one")
	write("SHA256SUMS", sum("the second one")+" *"+other+"\n")
	if !has("the second one") {
		t.Errorf("a replaced program is not handed out: %+v", s.List())
	}
	if err := os.Remove(filepath.Join(dir, "VERSION")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Open(other); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("a folder without VERSION is used: %v", err)
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	dir := folder(t, map[string]string{"VERSION": "2", "SHA256SUMS": sum("secret") + "  " + other + "\n", "elsewhere": "secret"})
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, other)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := New(Options{Dir: dir, Log: slog.New(slog.DiscardHandler)}).Open(other); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("a link is followed: %v", err)
	}
}
