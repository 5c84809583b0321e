// Package program knows the programs that this server hands out to participants' machines: its own, and those in the folder that
// `make dist` fills. Each is shown with the SHA-256 that a download is checked against.
package program

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/openfile"
)

// MaxSize bounds a program, in bytes. A larger file is not handed out.
const MaxSize = 200 << 20

// maxList bounds VERSION and SHA256SUMS.
const maxList = 64 << 10

// Program is one that is handed out.
type Program struct {
	OS, Arch string // as Go names them: linux, darwin or windows; amd64 or arm64
	Name     string // of the file, blossomtune-OS-ARCH, with .exe for Windows
	Version  string
	Size     int64
	SHA256   string // hex

	path string
}

// Options of a [Shelf].
type Options struct {
	Dir     string // of programs; "": "downloads" beside our own binary
	Version string // of our own binary
	Log     *slog.Logger
}

// Shelf holds the programs. Its methods are safe for concurrent use.
type Shelf struct {
	o Options

	mu     sync.Mutex
	hashed map[string]hashed // by path
	said   string            // the last problem that was logged
}

// hashed is what a file was when its hash was computed.
type hashed struct {
	size   int64
	at     time.Time
	sha256 string
}

// New returns the shelf. Files in the folder may be replaced while it is in use.
func New(o Options) *Shelf {
	if o.Dir == "" {
		if self, err := os.Executable(); err == nil {
			if real, err := filepath.EvalSymlinks(self); err == nil {
				self = real
			}
			o.Dir = filepath.Join(filepath.Dir(self), "downloads")
		}
	}
	return &Shelf{o: o, hashed: map[string]hashed{}}
}

// platforms are those for which programs are built, in the order in which they are listed.
var platforms = [][2]string{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}, {"darwin", "amd64"}, {"windows", "amd64"},
	{"windows", "arm64"}}

func nameOf(system, arch string) string {
	name := "blossomtune-" + system + "-" + arch
	if system == "windows" {
		name += ".exe"
	}
	return name
}

// List returns the programs that can be downloaded: those in the folder that agree with its SHA256SUMS, and this server's own binary where
// the folder has none for its platform.
func (s *Shelf) List() []Program {
	s.mu.Lock()
	defer s.mu.Unlock()
	version, sums, err := s.index()
	s.say(err)
	var out []Program
	for _, at := range platforms {
		p := Program{OS: at[0], Arch: at[1], Name: nameOf(at[0], at[1]), Version: version}
		if want, ok := sums[p.Name]; ok {
			p.path = filepath.Join(s.o.Dir, p.Name)
			f, err := s.open(&p)
			if err == nil {
				f.Close()
			}
			if err == nil && p.SHA256 != want {
				err = fmt.Errorf("%s does not have the hash in SHA256SUMS", p.path)
			}
			if err == nil {
				out = append(out, p)
				continue
			}
			s.say(err)
		}
		if at[0] == runtime.GOOS && at[1] == runtime.GOARCH {
			if p, err := ownProgram(); err == nil {
				p.Version = s.o.Version
				out = append(out, p)
			} else {
				s.say(err)
			}
		}
	}
	return out
}

// Open opens the program with a name for reading; the caller closes it. The hash in Program is that of the file that is returned. A name
// that is not in the list is a [domain.NotFound] error.
func (s *Shelf) Open(name string) (*os.File, Program, error) {
	all := s.List()
	i := slices.IndexFunc(all, func(p Program) bool { return p.Name == name })
	if i < 0 {
		return nil, Program{}, domain.Errorf(domain.NotFound, "This server has no program %q to download.", name).
			Fix("Get another one from the list on your status page, or ask who runs the server to build it with make dist.")
	}
	p := all[i]
	if p.path == ownPath {
		f, err := openOwn()
		return f, p, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	want := p.SHA256
	f, err := s.open(&p)
	if err == nil && p.SHA256 != want {
		f.Close()
		err = domain.Errorf(domain.Unavailable, "The program was replaced a moment ago.").Fix("Try again.")
	}
	return f, p, err
}

// Sums returns the hashes as sha256sum writes them.
func Sums(all []Program) string {
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintf(&b, "%s  %s\n", p.SHA256, p.Name)
	}
	return b.String()
}

// index reads the folder's VERSION and SHA256SUMS. A folder that does not exist is an empty one.
func (s *Shelf) index() (version string, sums map[string]string, err error) {
	if _, err := os.Stat(s.o.Dir); errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	}
	text, err := readSmall(filepath.Join(s.o.Dir, "VERSION"))
	if err != nil {
		return "", nil, err
	}
	list, err := readSmall(filepath.Join(s.o.Dir, "SHA256SUMS"))
	if err != nil {
		return "", nil, err
	}
	sums = map[string]string{}
	for lines := bufio.NewScanner(strings.NewReader(list)); lines.Scan(); {
		if sum, name, ok := strings.Cut(lines.Text(), " "); ok {
			sums[strings.TrimLeft(name, " *")] = strings.ToLower(sum)
		}
	}
	return strings.TrimSpace(text), sums, nil
}

func readSmall(path string) (string, error) {
	f, err := openfile.Regular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxList))
	return string(text), err
}

// open opens a program's file and fills in its size and hash, which is computed again when the file has changed.
func (s *Shelf) open(p *Program) (*os.File, error) {
	f, err := openfile.Regular(p.path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > MaxSize {
		err = fmt.Errorf("%s has more than %d bytes", p.path, MaxSize)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	known := s.hashed[p.path]
	if known.sha256 == "" || known.size != info.Size() || !known.at.Equal(info.ModTime()) {
		sum, err := hash(f)
		if err != nil {
			f.Close()
			return nil, err
		}
		known = hashed{info.Size(), info.ModTime(), sum}
		s.hashed[p.path] = known
	}
	p.Size, p.SHA256 = known.size, known.sha256
	return f, nil
}

// hash returns the SHA-256 of a file and goes back to its beginning.
func hash(f *os.File) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, MaxSize)); err != nil {
		return "", err
	}
	_, err := f.Seek(0, io.SeekStart)
	return hex.EncodeToString(h.Sum(nil)), err
}

// say logs a problem with the folder once.
func (s *Shelf) say(err error) {
	if err == nil || err.Error() == s.said {
		return
	}
	s.said = err.Error()
	s.o.Log.Warn("a program for participants is not handed out", "folder", s.o.Dir, "err", err)
}
