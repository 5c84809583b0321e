package catalog_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
)

// bundle makes a FAB as Flower does, with members in the order given: name, text.
func bundle(t *testing.T, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	list := ""
	add := func(name, text string) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(members); i += 2 {
		add(members[i], members[i+1])
		list += fmt.Sprintf("%s,%x,%d\n", members[i], sha256.Sum256([]byte(members[i+1])), 8*len(members[i+1]))
	}
	add(".info/CONTENT", strings.TrimSpace(list))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func put(t *testing.T, s *catalog.Service, members ...string) domain.AppVersion {
	t.Helper()
	a, err := s.Upload(t.Context(), domain.System, "tiny.fab", bytes.NewReader(bundle(t, members...)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheSourceIsShownAsItIs(t *testing.T) {
	s, _ := newCatalog(t)
	long := strings.Repeat("x = 1\n", 6000)
	a := put(t, s, "pyproject.toml", pyproject, "tiny/server_app.py", "one\ntwo\r\nif access != \"user\u202e\": # ok\n", "tiny/client_app.py", "", "tiny/model.bin", "a\x00b", "tiny/latin.txt", "caf\xe9", "tiny/long.py", long, "tiny/wide.py", strings.Repeat("é", 3000))
	files, err := s.Source(t.Context(), a.Hash)
	if err != nil || len(files) != 8 || files[0].Path != ".info/CONTENT" || files[1].Path != "pyproject.toml" {
		t.Fatalf("%+v %v", files, err)
	}
	text := func(path string) catalog.Text {
		t.Helper()
		got, err := s.Text(t.Context(), a.Hash, path)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := text("tiny/server_app.py"); len(got.Lines) != 3 || got.Lines[1] != "two␍" || got.Special != 1 || !strings.Contains(got.Lines[2], "user‹U+202E›") {
		t.Errorf("%+v", got)
	}
	if got := text("tiny/client_app.py"); got.Binary || len(got.Lines) != 0 {
		t.Errorf("an empty file: %+v", got)
	}
	for _, path := range []string{"tiny/model.bin", "tiny/latin.txt"} {
		if got := text(path); !got.Binary || got.Lines != nil {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if got := text("tiny/long.py"); !got.Cut || len(got.Lines) != catalog.MaxShownLines {
		t.Errorf("%d lines of 6000, cut: %v", len(got.Lines), got.Cut)
	}
	if got := text("tiny/wide.py"); !strings.Contains(got.Lines[0], "(2000 more characters)") {
		t.Errorf("%d characters", len(got.Lines[0]))
	}
	for _, path := range []string{"nothing.py", "../pyproject.toml", "/etc/passwd", "tiny", ""} {
		if _, err := s.Text(t.Context(), a.Hash, path); domain.CodeOf(err) != domain.NotFound {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestTwoVersionsAsADiff(t *testing.T) {
	s, _ := newCatalog(t)
	numbered := func(change int) string {
		out := ""
		for i := range 40 {
			if i == change {
				out += "changed\n"
			}
			out += fmt.Sprintf("line %d\n", i)
		}
		return out
	}
	one := put(t, s, "pyproject.toml", pyproject, "tiny/server_app.py", numbered(-1), "tiny/client_app.py", "", "tiny/old.py", "x\n", "tiny/b.bin", "\x00a", "tiny/end.py", "x")
	two := put(t, s, "pyproject.toml", pyproject, "tiny/server_app.py", numbered(20), "tiny/client_app.py", "", "tiny/new.py", "y\n", "tiny/b.bin", "\x00b", "tiny/end.py", "x\n")
	d, err := s.Diff(t.Context(), one.Hash, two.Hash)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]catalog.FileDiff{}
	for _, f := range d.Files {
		got[f.Path] = f
	}
	if len(got) != 5 || d.Same != 2 || d.Cut {
		t.Errorf("%d differ, %d are the same", len(got), d.Same)
	}
	if f := got["tiny/server_app.py"]; f.Added != 1 || f.Removed != 0 || len(f.Parts) != 3 || !f.Parts[0].Folded || f.Parts[1].Folded || len(f.Parts[1].Lines) != 7 || len(f.Parts[0].Lines) != 17 {
		t.Errorf("%+v", f)
	}
	if got["tiny/old.py"].Change != catalog.FileRemoved || got["tiny/new.py"].Change != catalog.FileAdded || !got["tiny/b.bin"].Binary {
		t.Errorf("%+v", got)
	}
	if f := got["tiny/end.py"]; f.Added != 1 || f.Removed != 1 || !strings.Contains(f.Parts[0].Lines[0].Text, "no line end") {
		t.Errorf("a missing end of the last line: %+v", f)
	}
}

func TestABundleThatIsNotWhatItSeemsIsRefused(t *testing.T) {
	s, _ := newCatalog(t)
	good := []string{"pyproject.toml", pyproject, "tiny/server_app.py", "s", "tiny/client_app.py", "c"}
	forged := bytes.Replace(bundle(t, good...), []byte("PK"), []byte("PK"), 1)
	var linked bytes.Buffer
	z := zip.NewWriter(&linked)
	h := &zip.FileHeader{Name: "tiny/link.py"}
	h.SetMode(os.ModeSymlink | 0o777)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = w.Write([]byte("/etc/passwd"))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if i := bytes.LastIndex(forged, []byte(fmt.Sprintf("%x", sha256.Sum256([]byte("s")))[:8])); i > 0 {
		forged[i] ^= 1
	}
	without := func(n int) []string { return append(append([]string{}, good[:n]...), good[n+2:]...) }
	for name, c := range map[string]struct {
		body  []byte
		words string
	}{
		"a file twice":         {bundle(t, append(good, "tiny/server_app.py", "other")...), "twice"},
		"a way out":            {bundle(t, append(good, "../x.py", "x")...), "unsafe"},
		"a roundabout way":     {bundle(t, append(good, "tiny/./x.py", "x")...), "unsafe"},
		"Windows' way out":     {bundle(t, append(good, `..\x.py`, "x")...), "unsafe"},
		"a link":               {linked.Bytes(), "link"},
		"no ServerApp":         {bundle(t, without(2)...), "tiny/server_app.py is not in the app"},
		"no ClientApp":         {bundle(t, without(4)...), "tiny/client_app.py is not in the app"},
		"a comma in a name":    {bundle(t, append(good, "tiny/a,b.py", "x")...), "cannot be read"},
		"a publisher with a /": {bundle(t, "pyproject.toml", strings.Replace(pyproject, `"someone"`, `"some/one"`, 1), "tiny/server_app.py", "s", "tiny/client_app.py", "c"), "publisher"},
		"a component no :":     {bundle(t, "pyproject.toml", strings.Replace(pyproject, "tiny.server_app:app", "tiny.server_app", 1)), "not like package.module:app"},
		"a preset that is off": {bundle(t, "pyproject.toml", pyproject+"\n[tool.blossomtune.presets.bad]\nlr = 7.0\n", "tiny/server_app.py", "s", "tiny/client_app.py", "c"), "preset bad"},
	} {
		if _, err := s.Upload(t.Context(), domain.System, "x.fab", bytes.NewReader(c.body)); domain.CodeOf(err) != domain.Invalid || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNestedKeysAndPresetsOfTheApp(t *testing.T) {
	s, _ := newCatalog(t)
	more := "\n[tool.blossomtune.config.model.size]\nhelp = \"Width\"\nmin = 1\n\n[tool.blossomtune.presets.quick]\nnum-server-rounds = 1\nlr = 1\nmodel.size = 2\n"
	a := put(t, s, "pyproject.toml", pyproject+more, "tiny/server_app.py", "s", "tiny/client_app.py", "c")
	for _, k := range a.Config {
		if k.Key == "model.size" && (k.Help != "Width" || k.Min == nil) {
			t.Errorf("%+v", k)
		}
	}
	again, err := s.Get(t.Context(), a.Hash)
	if err != nil || len(again.Presets) != 1 || again.Presets[0].Name != "quick" || again.Presets[0].Config["model.size"] != "2" || again.Presets[0].Config["num-server-rounds"] != "1" {
		t.Errorf("%+v %v", again.Presets, err)
	}
}

func TestAChangedFolderIsNoticed(t *testing.T) {
	s, _ := newCatalog(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "tiny"), files())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Watch(ctx, 20*time.Millisecond, root, filepath.Join(root, "not-there")) }()
	defer func() { stop(); <-done }()
	await := func(what string, ok func() bool) {
		t.Helper()
		limit := time.NewTimer(30 * time.Second)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for !ok() {
			select {
			case <-limit.C:
				t.Fatalf("%s: %+v", what, s.Problems())
			case <-tick.C:
			}
		}
	}
	versions := func() string {
		all, err := s.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, a := range all {
			out += a.Version + " "
		}
		return out
	}
	problem := func(folder, words string) func() bool {
		return func() bool {
			for _, p := range s.Problems() {
				if p.Folder == folder && strings.Contains(p.Message, words) {
					return true
				}
			}
			return false
		}
	}
	await("the first version", func() bool { return versions() == "1.0.0 " })
	await("a folder that is not there", problem("not-there", "cannot be read"))
	write(t, filepath.Join(root, "tiny"), map[string]string{"pyproject.toml": strings.Replace(pyproject, "1.0.0", "1.1.0", 1)})
	await("the second version", func() bool { return versions() == "1.1.0 1.0.0 " })
	write(t, filepath.Join(root, "tiny"), map[string]string{"pyproject.toml": "= broken"})
	await("why it is no app", problem("tiny", "pyproject.toml"))
	write(t, filepath.Join(root, "other"), files())
	write(t, filepath.Join(root, "tiny"), map[string]string{"pyproject.toml": strings.Replace(pyproject, "1.0.0", "1.2.0", 1)})
	await("both", func() bool { return strings.HasPrefix(versions(), "1.2.0 ") && len(s.Problems()) == 1 })
}
