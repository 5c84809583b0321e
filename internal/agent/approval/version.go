package approval

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"blossomtune/internal/domain"
)

// Version is an app version, as its own bytes describe it.
type Version struct {
	FAB          string   `json:"fab"`          // SHA-256 of the bytes
	App          string   `json:"app"`          // publisher/name, as the app says itself
	Version      string   `json:"version"`      // likewise
	Publisher    string   `json:"publisher"`    // likewise
	Dependencies []string `json:"dependencies"` // besides Flower itself
	Deps         string   `json:"deps"`         // SHA-256 over all that decides which packages it gets
	Installs     bool     `json:"installs"`     // it may install packages of its own here
}

// Limits of what is read of an app.
const (
	maxFile  = 4 << 20
	maxFiles = 10_000
	maxText  = 32 << 20 // of all files
	maxShown = 200      // bytes of a name
)

// Read describes an app version from its bytes. installs says whether apps may install packages on this machine.
func Read(fab []byte, installs bool) (Version, error) {
	sum := sha256.Sum256(fab)
	v := Version{FAB: hex.EncodeToString(sum[:]), Installs: installs}
	files, err := unpack(fab)
	if err != nil {
		return v, err
	}
	text, ok := files["pyproject.toml"]
	if !ok {
		return v, errors.New("the app has no pyproject.toml")
	}
	var p struct {
		Project struct {
			Name         string   `toml:"name"`
			Version      string   `toml:"version"`
			Dependencies []string `toml:"dependencies"`
		} `toml:"project"`
		Groups map[string]any `toml:"dependency-groups"`
		Tool   struct {
			Flwr struct {
				App struct {
					Publisher string `toml:"publisher"`
				} `toml:"app"`
			} `toml:"flwr"`
		} `toml:"tool"`
	}
	if err := toml.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), &p); err != nil {
		return v, fmt.Errorf("reading the app's pyproject.toml: %w", err)
	}
	v.Publisher, v.Version = shown(p.Tool.Flwr.App.Publisher), shown(p.Project.Version)
	v.App = v.Publisher + "/" + shown(p.Project.Name)
	for _, d := range p.Project.Dependencies {
		if d = shown(strings.Join(strings.Fields(d), " ")); !flower.MatchString(d) {
			v.Dependencies = append(v.Dependencies, d)
		}
	}
	for name := range p.Groups {
		v.Dependencies = append(v.Dependencies, "group "+shown(name))
	}
	slices.Sort(v.Dependencies)
	h := sha256.New()
	fmt.Fprintf(h, "%v\n", installs)
	for _, name := range []string{"pyproject.toml", "uv.lock", "uv.toml"} {
		fmt.Fprintf(h, "%s %d\n", name, len(files[name]))
		h.Write(files[name])
	}
	v.Deps = hex.EncodeToString(h.Sum(nil))
	return v, nil
}

// shown makes a text that an app chose fit for a terminal and a page.
func shown(s string) string {
	if clean := domain.Cut(domain.Line(s), maxShown); clean != s {
		return domain.Cut(strconv.Quote(s), maxShown) // it must not pass for another one
	}
	return s
}

var flower = regexp.MustCompile(`(?i)^flwr\s*(\[[^\]]*\])?\s*($|[<>=!~;@(])`)

// unpack returns an app's files by their names. It is bounded: an app that is larger is an error.
func unpack(fab []byte) (map[string][]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(fab), int64(len(fab)))
	if err != nil {
		return nil, errors.New("the app is not a zip archive")
	}
	if len(z.File) > maxFiles {
		return nil, fmt.Errorf("the app has more than %d files", maxFiles)
	}
	out, left := map[string][]byte{}, int64(maxText)
	for _, f := range z.File {
		if f.Mode().IsDir() || strings.HasSuffix(f.Name, "/") {
			continue
		}
		name := path.Clean(strings.ReplaceAll(f.Name, `\`, "/"))
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("the app has two files %q", name)
		}
		text, err := unzip(f, min(left, maxFile))
		if err != nil {
			return nil, fmt.Errorf("reading %q of the app: %w", name, err)
		}
		out[name], left = text, left-int64(len(text))
	}
	return out, nil
}

func unzip(f *zip.File, most int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(text)) > most {
		err = errors.New("it is too large")
	}
	return text, err
}

// reaching are modules with which an app can reach the network, other programs, or more of this machine.
var reaching = []string{"aiohttp", "boto3", "ctypes", "datasets", "ftplib", "flwr_datasets", "http", "httpx", "huggingface_hub",
	"multiprocessing", "os", "paramiko",
	"pickle", "pty", "requests", "shutil", "smtplib", "socket", "subprocess", "telnetlib", "torchvision", "urllib", "urllib3", "webbrowser",
	"xmlrpc"}

var importLine = regexp.MustCompile(`(?m)^[ \t]*(?:import|from)[ \t]+([A-Za-z_][A-Za-z0-9_]*)`)

// Reaches lists modules that an app imports and that can reach the network, other programs or files. It reads the sources; an app can hide
// what it does.
func Reaches(fab []byte) []string {
	files, err := unpack(fab)
	if err != nil {
		return nil
	}
	var out []string
	for name, text := range files {
		if path.Ext(name) != ".py" {
			continue
		}
		for _, m := range importLine.FindAllSubmatch(text, -1) {
			if module := string(m[1]); slices.Contains(reaching, module) && !slices.Contains(out, module) {
				out = append(out, module)
			}
		}
	}
	slices.Sort(out)
	return out
}
