package e2e

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// secretWords are what the app chatty prints, as it makes them.
func secretWords() []string {
	sum := sha256.Sum256([]byte("chatty"))
	word := hex.EncodeToString(sum[:])
	out := []string{"hf_" + word[:34], "ghp_" + word[:36], word[:48], strings.ToUpper(word[:16]), word[:20], word[:34]}
	for n := range 8 {
		sum := sha512.Sum512([]byte{byte(n)})
		out = append(out, hex.EncodeToString(sum[:])[:64])
	}
	return out
}

// holding lists the files below a directory that hold any of some words.
func holding(t *testing.T, dir string, words []string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // what has gone meanwhile holds nothing; the environment is a link
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		for _, w := range words {
			if bytes.Contains(text, []byte(w)) {
				out = append(out, path+": "+w)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAPrintedTokenIsNeverStored(t *testing.T) {
	t.Parallel()
	s := start(t, 3)
	r := s.becomes(s.launch(s.app("chatty"), map[string]string{"secrets": "true", "lines": "3"}).Name, "completed", time.Minute)
	text, err := os.ReadFile(s.logFile(r))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"login with hf_[masked] worked", "login with ghp_[masked] worked", "login with bt_[masked] worked", "login with AKIA[masked] worked",
		"Authorization: Bearer [masked]", "\nhf_[masked]\n", "-----BEGIN PRIVATE KEY-----\n[masked]\n", "line 3\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	for _, found := range holding(t, s.data, secretWords()) {
		t.Errorf("a secret is in %s", found)
	}
	s.sameLog(r)
}

// paced asks for pages, one after another, until done is closed, and returns how long each took.
func (s *server) paced(cookie string, done <-chan struct{}, paths ...string) map[string][]time.Duration {
	out := map[string][]time.Duration{}
	for i := 0; ; i++ {
		select {
		case <-done:
			return out
		default:
		}
		path := paths[i%len(paths)]
		req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			s.t.Error(err)
			return out
		}
		req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: cookie})
		began := time.Now()
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			s.t.Error(err)
			return out
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			s.t.Errorf("%s answers %s", path, res.Status)
		}
		out[path] = append(out[path], time.Since(began))
	}
}

func percentile(ds []time.Duration, p int) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(ds))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

func TestAFloodOfLinesSlowsNobody(t *testing.T) {
	const lines, rate = 1_000_000, 50_000
	s := start(t, 3)
	cookie := s.signIn()
	r := s.launch(s.app("chatty"), map[string]string{"lines": fmt.Sprint(lines), "rate": fmt.Sprint(rate)})
	s.becomes(r.Name, "running", time.Minute)
	done := make(chan struct{})
	took := make(chan map[string][]time.Duration)
	log := "/f/fed/runs/" + r.Name + "/log/"
	go func() {
		took <- s.paced(cookie, done, "/f/fed", "/f/fed/runs/"+r.Name, log+"page?from=-500", log+"search?q=line+77", idle)
	}()
	ended := s.ends(r.Name, 5*time.Minute)
	close(done)
	all := <-took
	for path, ds := range all {
		p99 := percentile(ds, 99)
		t.Logf("%-40s %4d times, p50 %s, p99 %s", path, len(ds), percentile(ds, 50).Round(time.Millisecond), p99.Round(time.Millisecond))
		if p99 > bearable(percentile(all[idle], 99)) && !strings.Contains(path, "search") {
			t.Errorf("%s took %s at the 99th percentile", path, p99)
		}
	}
	if ended.State != "completed" {
		t.Fatalf("the run is %s: %+v", ended.State, ended.Cause)
	}
	var l struct {
		Lines []struct{ Text string }
		Total int
	}
	s.admin.must("GET", "/runs/"+r.Name+"/log?from=-3&limit=3", nil, &l)
	found := false
	for _, line := range l.Lines {
		found = found || strings.HasPrefix(line.Text, fmt.Sprintf("line %d at ", lines))
	}
	if !found && l.Total < lines {
		t.Errorf("the log has %d lines and ends with %v", l.Total, l.Lines)
	}
}
