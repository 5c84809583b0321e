package catalog_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

// changed are the files of the tiny app with others; an empty name in without takes none away.
func changed(without string, with map[string]string) map[string]string {
	f := files()
	maps.DeleteFunc(f, func(name, _ string) bool { return without != "" && strings.HasPrefix(name, without) })
	maps.Copy(f, with)
	return f
}

// refusedWith fails unless a zip of the files is refused with words that say why, and without a path of this machine.
func refusedWith(t *testing.T, body []byte, err error, words ...string) {
	t.Helper()
	var e *domain.Error
	if !errors.As(err, &e) || e.Code != domain.Invalid {
		t.Errorf("%d bytes: %v; want a refusal", len(body), err)
		return
	}
	text := e.Message + " " + e.Remedy
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
	if strings.Contains(text, "/tmp") || strings.Contains(text, filepath.Dir(t.TempDir())) || strings.Contains(text, "blossomtune-") {
		t.Errorf("%q shows a path of the server", text)
	}
}

func TestAFileThatFlowerCannotReadIsRefusedByItsFault(t *testing.T) {
	s, built := newCatalog(t)
	for text, words := range map[string]string{
		"\ufeff" + pyproject:                               "byte order mark",
		"\xff\xfe[\x00p\x00":                               "UTF-16",
		pyproject + "\n# caf\xe9\n":                        "not encoded as UTF-8",
		strings.Replace(pyproject, "lr = 0.5", "lr = ", 1): "pyproject.toml cannot be read",
	} {
		body := zipOf(t, "", changed("", map[string]string{"pyproject.toml": text}))
		_, err := upload(t, s, body)
		refusedWith(t, body, err, words, "pyproject.toml")
		fab := bundle(t, "pyproject.toml", text, "tiny/server_app.py", "", "tiny/client_app.py", "")
		_, err = upload(t, s, fab)
		refusedWith(t, fab, err, words)
	}
	if *built != 0 {
		t.Errorf("Flower was asked %d times", *built)
	}
}

func TestZipsOfOlderProgramsAreTaken(t *testing.T) {
	s, _ := newCatalog(t)
	want, err := upload(t, s, zipOf(t, "", files()))
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []struct{ under, from, to string }{{"", "/", `\`}, {`tiny\`, "/", `\`}, {"./", "/", "/"}, {`.\`, "/", `\`}} {
		renamed := map[string]string{}
		for name, text := range files() {
			renamed[strings.ReplaceAll(name, how.from, how.to)] = text
		}
		if how.to == `\` {
			renamed[`tiny\`] = "" // a folder
		}
		if got, err := upload(t, s, zipOf(t, how.under, renamed)); err != nil || got.Hash != want.Hash {
			t.Errorf("below %q with %q: %s, %v; want %s", how.under, how.to, got.Hash, err, want.Hash)
		}
	}
	for name, words := range map[string]string{`..\evil.py`: "unsafe file name", `C:\evil.py`: "unsafe file name", `\evil.py`: "unsafe file name", "caf\xe9.py": "unsafe file name", `tiny\client_app.py`: "twice", `.info\CONTENT`: "Flower cannot read"} {
		body := zipOf(t, "", changed("", map[string]string{name: "x"}))
		_, err := upload(t, s, body)
		refusedWith(t, body, err, words)
	}
	var b bytes.Buffer // Flower takes the names of a FAB as they are
	z := zip.NewWriter(&b)
	for _, name := range []string{".info/CONTENT", "pyproject.toml", `tiny\server_app.py`} {
		if _, err := z.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = upload(t, s, b.Bytes())
	refusedWith(t, b.Bytes(), err, "unsafe file name")
}

func TestAnAppWithoutAFileThatItNeedsIsRefused(t *testing.T) {
	s, _ := newCatalog(t)
	torch := strings.Replace(pyproject, `["flwr>=1.41"]`, `["flwr>=1.41", "torch"]`, 1)
	model := map[string]string{".gitignore": "model.py\n", "tiny/model.py": "", "tiny/server_app.py": "from flwr.serverapp import ServerApp\nfrom tiny.model import net\napp = ServerApp()\n"}
	for name, c := range map[string]struct {
		files map[string]string
		words string
	}{
		"the package is ignored":             {changed("", map[string]string{".gitignore": "tiny/\n"}), "tiny/"},
		"it is ignored, and torch needed":    {changed("", map[string]string{".gitignore": "tiny/\n", "pyproject.toml": torch}), ".gitignore"},
		"one component is ignored":           {changed("", map[string]string{".gitignore": "client_app.py\n"}), "tiny/client_app.py"},
		"the package is not there":           {changed("tiny/", nil), "tiny/server_app.py is not in the app"},
		"an imported module is ignored":      {changed("", model), "tiny/model.py"},
		"a module imported with dots":        {changed("", merge(model, "tiny/server_app.py", "from .model import net\nfrom flwr.serverapp import ServerApp\napp = ServerApp()\n")), "tiny/model.py"},
		"one of several in an import":        {changed("", merge(model, "tiny/server_app.py", "from . import (\n    task,\n    model,\n)\nfrom flwr.serverapp import ServerApp\napp = ServerApp()\n", "tiny/task.py", "")), "tiny/model.py"},
		"a module imported by its full name": {changed("", merge(model, "tiny/server_app.py", "import os, tiny.model as m\nfrom flwr.serverapp import ServerApp\napp = ServerApp()\n")), "tiny/model.py"},
	} {
		body := zipOf(t, "", c.files)
		_, err := upload(t, s, body)
		t.Log(name)
		refusedWith(t, body, err, c.words)
	}
	optional := merge(model, "tiny/server_app.py", "try:\n    from . import model\nexcept ImportError:\n    model = None\nfrom flwr.serverapp import ServerApp\napp = ServerApp()\n")
	if _, err := upload(t, s, zipOf(t, "", changed("", optional))); err != nil {
		t.Errorf("what an app can do without was missed: %v", err)
	}
	elsewhere := strings.ReplaceAll(torch, "tiny.", "apps_of_ours.")
	if _, err := upload(t, s, bundle(t, "pyproject.toml", elsewhere)); err != nil {
		t.Errorf("components that a dependency may bring were refused: %v", err)
	}
	_, err := upload(t, s, bundle(t, "pyproject.toml", pyproject))
	refusedWith(t, nil, err, "tiny/server_app.py is not in the app")
}

func merge(f map[string]string, more ...string) map[string]string {
	out := maps.Clone(f)
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// What Flower says when it refuses a folder names the folder; the server's own is nobody's business.
func TestWhatFlowerSaysIsWithoutTheServersPaths(t *testing.T) {
	s, _ := newCatalog(t)
	elsewhere := strings.ReplaceAll(strings.Replace(pyproject, `["flwr>=1.41"]`, `["flwr>=1.41", "torch"]`, 1), "tiny.", "apps_of_ours.")
	body := zipOf(t, "", changed("tiny/", map[string]string{"pyproject.toml": elsewhere}))
	_, err := upload(t, s, body)
	refusedWith(t, body, err, "Flower cannot build this app: ModuleNotFoundError: No module named 'apps_of_ours'.")
	body = zipOf(t, "", changed("", map[string]string{"tiny/" + strings.Repeat("a/", 20) + "x.py": ""}))
	_, err = upload(t, s, body)
	refusedWith(t, body, err, "depth")
}
