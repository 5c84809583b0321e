package catalog_test

import (
	"encoding/pem"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
)

var (
	admin   = domain.Actor{Kind: "person", Name: "Ada", Admin: true}
	manager = domain.Actor{Kind: "person", Name: "Site North"}
)

// gitRun runs git in a folder and returns what it says.
func gitRun(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func commit(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	write(t, dir, files)
	gitRun(t, dir, "add", "-A")
	gitRun(t, dir, "commit", "-qm", "c")
	return gitRun(t, dir, "rev-parse", "HEAD")
}

// repository has the app at its top, and in a folder; version 1.0.0 is tagged, 2.0.0 is the branch.
func repository(t *testing.T) (dir, first, second string) {
	t.Helper()
	dir = t.TempDir()
	gitRun(t, dir, "init", "-q", "-b", "main")
	both := files()
	for name, text := range files() {
		both["apps/tiny/"+name] = text
	}
	first = commit(t, dir, both)
	gitRun(t, dir, "tag", "-a", "v1", "-m", "one")
	second = commit(t, dir, map[string]string{"pyproject.toml": strings.Replace(pyproject, "1.0.0", "2.0.0", 1)})
	return dir, first, second
}

func TestAnAppFromGitIsOneCommit(t *testing.T) {
	s, _ := newCatalog(t)
	dir, first, second := repository(t)
	for _, c := range []struct{ repo, ref, folder, version, commit string }{
		{dir, "", "", "2.0.0", second}, {"file://" + dir, "main", "", "2.0.0", second}, {dir, "v1", "", "1.0.0", first}, {"file://" + dir, first, "", "1.0.0", first}, {dir, "main", "apps/tiny", "1.0.0", second},
	} {
		a, err := s.FromGit(t.Context(), admin, catalog.GitInput{Repository: c.repo, Ref: c.ref, Folder: c.folder})
		if err != nil || a.Version != c.version {
			t.Fatalf("%+v: %s %v", c, a.Version, err)
		}
		origins, err := s.Origins(t.Context(), a.Hash)
		if err != nil || len(origins) == 0 {
			t.Fatal(err)
		}
		o := origins[len(origins)-1]
		if o.Kind != domain.OriginGit || o.Commit != c.commit || o.Ref != c.ref || o.Folder != c.folder || o.Place != c.repo || o.By != "Ada" {
			t.Errorf("%+v: %+v", c, o)
		}
	}
	all, err := s.List(t.Context())
	if err != nil || len(all) != 3 {
		t.Errorf("%d versions, %v: the same files are the same version, whichever way they come", len(all), err)
	}
}

// A repository is data: nothing in it or in its address runs or leads anywhere.
func TestARepositoryRunsNothing(t *testing.T) {
	s, _ := newCatalog(t)
	dir, _, _ := repository(t)
	mark := filepath.Join(t.TempDir(), "ran")
	script := "#!/bin/sh\ntouch " + mark + "\n"
	write(t, dir, map[string]string{".git/hooks/post-checkout": script, ".git/hooks/pre-auto-gc": script, ".git/hooks/reference-transaction": script})
	for _, hook := range []string{"post-checkout", "pre-auto-gc", "reference-transaction"} {
		if err := os.Chmod(filepath.Join(dir, ".git/hooks", hook), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	gitRun(t, dir, "config", "filter.evil.smudge", "touch "+mark)
	gitRun(t, dir, "config", "uploadpack.packObjectsHook", "touch "+mark)
	gitRun(t, dir, "-c", "core.hooksPath=/dev/null", "checkout", "-q", "-b", "evil")
	write(t, dir, map[string]string{".gitattributes": "* filter=evil\n"})
	gitRun(t, dir, "-c", "core.hooksPath=/dev/null", "-c", "filter.evil.clean=cat", "add", "-A")
	gitRun(t, dir, "-c", "core.hooksPath=/dev/null", "commit", "-qm", "evil")
	os.Remove(mark)
	if _, err := s.FromGit(t.Context(), admin, catalog.GitInput{Repository: dir, Ref: "evil"}); err != nil {
		t.Fatal(err)
	}
	for _, in := range []catalog.GitInput{
		{Repository: "ext::touch " + mark}, {Repository: "ssh://x@127.0.0.1/r"}, {Repository: "git://127.0.0.1/r"}, {Repository: "http://127.0.0.1/r"}, {Repository: "--upload-pack=touch " + mark}, {Repository: "x@127.0.0.1:r"}, {Repository: "../r"},
		{Repository: dir, Ref: "--upload-pack=touch " + mark}, {Repository: dir, Ref: "+main:main"}, {Repository: dir, Ref: "main main"}, {Repository: dir, Folder: "../.."}, {Repository: dir, Folder: "-x"}, {Repository: "https://name:secret@git.example.org/r"},
	} {
		if _, err := s.FromGit(t.Context(), admin, in); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("something of the repository ran")
	}
}

func TestWhatARepositoryCannotBe(t *testing.T) {
	s, _ := newCatalog(t)
	dir, first, _ := repository(t)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "tiny", "link.py")); err != nil {
		t.Fatal(err)
	}
	gitRun(t, dir, "checkout", "-q", "-b", "linked")
	commit(t, dir, nil)
	gitRun(t, dir, "checkout", "-q", "-b", "sub", "main")
	gitRun(t, dir, "update-index", "--add", "--cacheinfo", "160000,"+first+",vendor")
	gitRun(t, dir, "commit", "-qm", "sub")
	gitRun(t, dir, "checkout", "-q", "-f", "-b", "big", "main")
	commit(t, dir, map[string]string{"tiny/big.bin": strings.Repeat("0", 60<<20)})
	for name, c := range map[string]struct {
		in    catalog.GitInput
		who   domain.Actor
		code  domain.Code
		field string
	}{
		"a link":                 {catalog.GitInput{Repository: dir, Ref: "linked"}, admin, domain.Invalid, "folder"},
		"a submodule":            {catalog.GitInput{Repository: dir, Ref: "sub"}, admin, domain.Invalid, "folder"},
		"60 MB":                  {catalog.GitInput{Repository: dir, Ref: "big"}, admin, domain.TooLarge, "folder"},
		"no such branch":         {catalog.GitInput{Repository: dir, Ref: "nowhere"}, admin, domain.Invalid, "ref"},
		"no such commit":         {catalog.GitInput{Repository: dir, Ref: strings.Repeat("1", 40)}, admin, domain.Invalid, "ref"},
		"a short commit":         {catalog.GitInput{Repository: dir, Ref: first[:9]}, admin, domain.Invalid, "ref"},
		"no such folder":         {catalog.GitInput{Repository: dir, Folder: "elsewhere"}, admin, domain.Invalid, "folder"},
		"a file":                 {catalog.GitInput{Repository: dir, Folder: "README.md"}, admin, domain.Invalid, "folder"},
		"no app":                 {catalog.GitInput{Repository: dir, Ref: "main", Folder: "tiny"}, admin, domain.Invalid, "folder"},
		"no repository":          {catalog.GitInput{Repository: t.TempDir()}, admin, domain.Invalid, "repository"},
		"a path of a manager's":  {catalog.GitInput{Repository: dir}, manager, domain.Invalid, "repository"},
		"the server's network":   {catalog.GitInput{Repository: "https://127.0.0.1:1/r"}, manager, domain.Invalid, "repository"},
		"the server by its name": {catalog.GitInput{Repository: "https://localhost/r"}, manager, domain.Invalid, "repository"},
	} {
		_, err := s.FromGit(t.Context(), c.who, c.in)
		es := domain.Errors{}.With(err)
		if len(es) != 1 || es[0].Code != c.code || es[0].Field != c.field || es[0].Remedy == "" {
			t.Errorf("%s: %v, want %s at %s with a remedy", name, err, c.code, c.field)
		}
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d apps are there, %v", len(all), err)
	}
}

// Over https a repository is fetched from where its address says, and from nowhere else.
func TestGitOverHTTPS(t *testing.T) {
	s, _ := newCatalog(t)
	dir, first, _ := repository(t)
	exe, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{Path: exe, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1"}}
	mux := http.NewServeMux()
	mux.Handle("/"+filepath.Base(dir)+"/", backend)
	mux.HandleFunc("/closed/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
	})
	mux.HandleFunc("/moved/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/"+filepath.Base(dir)+"/.git"+strings.TrimPrefix(r.URL.Path, "/moved")+"?"+r.URL.RawQuery, http.StatusFound)
	})
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	at := server.URL + "/" + filepath.Base(dir) + "/.git"
	if _, err := s.FromGit(t.Context(), admin, catalog.GitInput{Repository: at}); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("an unknown certificate: %v", err)
	}
	t.Setenv("GIT_SSL_CAINFO", ca)
	for _, ref := range []string{"main", "v1", first} {
		if _, err := s.FromGit(t.Context(), admin, catalog.GitInput{Repository: at, Ref: ref}); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for path, words := range map[string]string{"/closed/": "without signing in", "/moved/": "another address", "/nothing/": "no git repository"} {
		if _, err := s.FromGit(t.Context(), admin, catalog.GitInput{Repository: server.URL + path}); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
