//go:build !participant

package doctor

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/logmask"
	"blossomtune/internal/openfile"
)

const (
	logEnd      = 256 << 10 // bytes of a log's end that are in a bundle
	logBefore   = 32 << 10  // bytes before it that are read: a private key may begin there
	mostLogs    = 50
	journalTime = 10 * time.Second
)

// Bundle is what a diagnosis bundle is made of.
type Bundle struct {
	Config   config.Config // resolved
	Version  string        // of this program
	Findings any           // as JSON; findings hold no secrets
	Logs     []string      // further log files, beside those of the server's own processes
	Clock    domain.Clock
	Journal  func(ctx context.Context) []byte // the end of the service's log; nil: that of systemd's unit
}

// Write writes the bundle as a ZIP archive: findings, versions, settings, and the ends of logs. Secrets of the settings, everything that
// has the
// shape of a secret, and e-mail addresses are replaced. What apps print is not in it, because it may hold data.
func (b Bundle) Write(ctx context.Context, w io.Writer) error {
	z := zip.NewWriter(w)
	clean := cleaner(b.Config.Secrets())
	add := func(name, text string) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: b.Clock().UTC()})
		if err == nil {
			_, err = io.WriteString(f, clean(text))
		}
		return err
	}
	findings, err := json.MarshalIndent(b.Findings, "", "  ")
	if err != nil {
		return err
	}
	for _, part := range [][2]string{{"findings.json", string(findings) + "\n"}, {"versions.txt", b.versions(ctx)},
		{"settings.txt", b.settings()}} {
		if err := add(part[0], part[1]); err != nil {
			return err
		}
	}
	journal := b.Journal
	if journal == nil {
		journal = systemdJournal
	}
	if text := journal(ctx); len(text) > 0 {
		if err := add("logs/service.log", logmask.Text(string(text))); err != nil {
			return err
		}
	}
	for _, path := range b.logs() {
		text, err := endOf(path)
		if err != nil {
			text = "This file could not be read: " + err.Error() + "\n"
		}
		if err := add("logs/"+b.nameOf(path), text); err != nil {
			return err
		}
	}
	return z.Close()
}

// logs lists the logs of the server's own processes, the newest first.
func (b Bundle) logs() []string {
	var all []string
	for _, pattern := range []string{"server.log", "federations/*/keeper.log", "federations/*/superlink.log"} {
		found, _ := filepath.Glob(filepath.Join(b.Config.Data, filepath.FromSlash(pattern))) // the pattern is sound
		all = append(all, found...)
	}
	all = append(all, b.Logs...)
	changed := map[string]time.Time{}
	for _, path := range all {
		if info, err := os.Stat(path); err == nil {
			changed[path] = info.ModTime()
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return changed[all[i]].After(changed[all[j]]) })
	return all[:min(len(all), mostLogs)]
}

func (b Bundle) nameOf(path string) string {
	if rel, err := filepath.Rel(b.Config.Data, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return "agents/" + filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
}

func (b Bundle) settings() string {
	var s strings.Builder
	for _, v := range b.Config.Settings() {
		fmt.Fprintf(&s, "%s=%s\n", v.Env, v.Value)
	}
	return s.String()
}

func (b Bundle) versions(ctx context.Context) string {
	var s strings.Builder
	fmt.Fprintf(&s, "blossomtune %s\n%s %s/%s\n", b.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(&s, "processors: %d\nmade at: %s\n", runtime.NumCPU(), b.Clock().UTC().Format(time.RFC3339))
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "uname", "-srm").Output(); err == nil {
		s.Write(out)
	}
	return s.String()
}

// systemdJournal returns the end of the log of the packaged service; nothing where there is none.
func systemdJournal(ctx context.Context) []byte {
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "journalctl", "--no-pager", "--quiet", "--output", "short-iso", "--lines", "2000", "--unit",
		"blossomtune.service").Output()
	if err != nil {
		return nil
	}
	return out
}

// endOf returns the end of a log, whole lines, without what has the shape of a secret.
func endOf(path string) (string, error) {
	f, err := openfile.Regular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := max(0, info.Size()-logEnd-logBefore)
	text, err := io.ReadAll(io.NewSectionReader(f, from, logEnd+logBefore))
	if err != nil {
		return "", err
	}
	lines := strings.SplitAfter(string(text), "\n")
	if from > 0 {
		lines = lines[1:]
	}
	var m logmask.Masker
	var out []byte
	for left := len(text); len(lines) > 0; lines = lines[1:] {
		if left -= len(lines[0]); left > logEnd {
			m.Skipped([]byte(lines[0]))
			continue
		}
		out = append(m.Line(out, []byte(strings.TrimSuffix(lines[0], "\n"))), '\n')
	}
	return string(out), nil
}

var email = regexp.MustCompile(`[A-Za-z0-9._%+\-]+(@|%40)[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+`)

// cleaner returns a function that replaces secrets, whatever has the shape of one, and e-mail addresses.
func cleaner(secrets []string) func(string) string {
	var pairs []string
	sort.Slice(secrets, func(i, j int) bool { return len(secrets[i]) > len(secrets[j]) }) // a secret may be part of another
	for _, s := range secrets {
		quoted, _ := json.Marshal(s) // a string has a form in JSON
		pairs = append(pairs, s, logmask.Masked, strings.Trim(string(quoted), `"`), logmask.Masked)
	}
	known := strings.NewReplacer(pairs...)
	return func(text string) string {
		return email.ReplaceAllString(logmask.Text(known.Replace(text)), "[e-mail]")
	}
}
