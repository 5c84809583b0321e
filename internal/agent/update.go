package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"

	"golang.org/x/mod/semver"
)

// UpdateOptions are what [Machine.Update] needs.
type UpdateOptions struct {
	Program   string // the file to replace
	Version   string // of that file
	Downgrade bool   // an older version is taken too
	Clock     domain.Clock
}

// Updated says what [Machine.Update] did.
type Updated struct {
	From, To string // versions; the same: nothing was changed
	Old      string // where the earlier program is kept; "" where nothing was changed
}

const (
	updateLimit  = 30 * time.Minute // for the download
	updateTries  = 4
	maxProgram   = 200 << 20
	programStart = 20 * time.Second // for the new program to say its version
)

// Update replaces a program by the one that the machine's server hands out. The version and hash come from the server that this machine
// knows by its pin, so a download that agrees with them is the server's. The file is replaced in one step, and only by a program that has
// started; the earlier one stays beside it. A server with an older program is a [domain.Conflict] error.
func (m Machine) Update(ctx context.Context, o UpdateOptions) (Updated, error) {
	done := Updated{From: o.Version, To: o.Version}
	srv, err := parseServer(m.st.Server, m.st.Pin)
	if err != nil {
		return done, err
	}
	conn, err := connect(srv, m.st.CAPEM, &serverClock{local: o.Clock})
	if err != nil {
		return done, err
	}
	defer conn.close()
	var list client.Programs
	if err := srv.call(ctx, conn.client(), http.MethodGet, "/programs", nil, nil, &list); err != nil {
		return done, err
	}
	p, err := pick(list.Programs, srv)
	if err != nil {
		return done, err
	}
	if current, err := o.judge(p, srv); err != nil || current {
		return done, err
	}
	file, err := download(ctx, conn, srv, p, filepath.Dir(o.Program))
	if err != nil {
		return done, err
	}
	defer os.Remove(file)
	if got := ProgramVersion(ctx, file); got != p.Version {
		return done, domain.Errorf(domain.Unavailable, "The server's program does not run on this machine (it says %q, not version %s).", got,
			p.Version).
			Fix("Nothing was changed. Tell who runs the server.")
	}
	done.Old = OldProgram(o.Program)
	if err := replaceProgram(o.Program, file, done.Old); err != nil {
		return done, err
	}
	done.To = p.Version
	return done, nil
}

func pick(all []client.ProgramView, srv server) (client.ProgramView, error) {
	for _, p := range all {
		if p.OS == runtime.GOOS && p.Arch == runtime.GOARCH && p.Size > 0 && p.Size <= maxProgram && p.Name == filepath.Base(p.Name) {
			return p, nil
		}
	}
	return client.ProgramView{}, domain.Errorf(domain.NotFound, "%s hands out no program for %s/%s.", srv.base, runtime.GOOS, runtime.GOARCH).
		Fix("Ask who runs the server to build it with make dist.")
}

// judge says whether the offered program is the one that is here, and refuses an older one.
func (o UpdateOptions) judge(p client.ProgramView, srv server) (current bool, err error) {
	sum, err := hashOf(o.Program)
	if err != nil || sum == p.SHA256 {
		return true, err
	}
	ours, theirs := "v"+o.Version, "v"+p.Version
	switch {
	case !semver.IsValid(ours): // a build of someone's own, which has no place in the order
		return false, nil
	case !semver.IsValid(theirs), semver.Compare(theirs, ours) < 0:
		if o.Downgrade {
			return false, nil
		}
		return false, domain.Errorf(domain.Conflict, "%s has version %s; this is %s, which is newer.", srv.base, p.Version, o.Version).
			Fix("Nothing was changed. Use --downgrade to take it nevertheless.")
	}
	return semver.Compare(theirs, ours) == 0, nil
}

// NewerVersion reports whether a version comes after another; versions that have no order do not.
func NewerVersion(version, than string) bool {
	return semver.IsValid("v"+version) && semver.IsValid("v"+than) && semver.Compare("v"+version, "v"+than) > 0
}

func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// download gets a program into a new file of a folder. A download that breaks off is resumed; a file with another hash is removed.
func download(ctx context.Context, conn *connection, srv server, p client.ProgramView, dir string) (path string, err error) {
	ctx, cancel := context.WithTimeout(ctx, updateLimit)
	defer cancel()
	f, err := os.CreateTemp(dir, ".blossomtune-*")
	if err != nil {
		return "", domain.Errorf(domain.Forbidden, "The program cannot be replaced: its folder %s is not yours to write.", dir).
			Fix("Nothing was changed. Update it as it was installed, or run this as the user that installed it.").Because(err)
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	hash, have := sha256.New(), int64(0)
	for try := 1; have < p.Size; try++ {
		n, err := fetch(ctx, conn, srv, p, have, io.MultiWriter(f, hash))
		have += n
		if err != nil && (try == updateTries || ctx.Err() != nil || domain.CodeOf(err) != domain.Unavailable) {
			return "", err
		}
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != p.SHA256 {
		return "", domain.Errorf(domain.Forbidden, "The download does not have the SHA-256 that the server named.").
			Fix("Nothing was changed. Run the command again; if it happens again, something changes what you download.")
	}
	return f.Name(), errors.Join(f.Chmod(0o755), f.Sync(), f.Close())
}

// fetch writes what is missing of a program, at most that.
func fetch(ctx context.Context, conn *connection, srv server, p client.ProgramView, have int64, to io.Writer) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.base.JoinPath("/download", p.Name).String(), nil)
	if err != nil {
		return 0, err
	}
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		req.Header.Set("If-Range", `"`+p.SHA256+`"`)
	}
	res, err := conn.transport().RoundTrip(req)
	if err != nil {
		return 0, srv.unreachable(err)
	}
	defer res.Body.Close()
	switch {
	case have == 0 && res.StatusCode == http.StatusOK, have > 0 && res.StatusCode == http.StatusPartialContent:
	case have > 0 && res.StatusCode == http.StatusOK:
		return 0, domain.Errorf(domain.Conflict, "The server was updated in the meantime.").Fix("Run the command again.")
	default:
		return 0, client.ErrorOf(res.StatusCode, nil)
	}
	n, err := io.Copy(to, io.LimitReader(res.Body, p.Size-have))
	if err == nil && n < p.Size-have {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, domain.Errorf(domain.Unavailable, "The download broke off after %d of %d bytes.", have+n,
			p.Size).Fix("Run the command again.").Because(err)
	}
	return n, nil
}

// ProgramVersion starts a program to ask for its version; "" when it does not say one.
func ProgramVersion(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, programStart)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "version").Output()
	version, named := strings.CutPrefix(strings.TrimSpace(string(out)), "blossomtune ")
	if err != nil || !named {
		return ""
	}
	return version
}

// OldProgram is where the program that an update replaced is kept.
func OldProgram(path string) string { return path + ".old" }

// RollBack puts the program that was replaced last back in its place, and keeps the one that it replaces.
func RollBack(ctx context.Context, path string) (version string, err error) {
	old := OldProgram(path)
	if version = ProgramVersion(ctx, old); version == "" {
		return "", domain.Errorf(domain.NotFound, "No earlier program that runs was found beside %s.", path).Fix("Nothing was changed.")
	}
	aside := path + ".rollback"
	if err := os.Rename(old, aside); err != nil {
		return "", err
	}
	if err := replaceProgram(path, aside, old); err != nil {
		return "", errors.Join(err, os.Rename(aside, old))
	}
	return version, nil
}
