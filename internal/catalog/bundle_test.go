package catalog

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

const fabProject = `[project]
name = "tiny"
version = "1.0.0"
[tool.flwr.app]
publisher = "someone"
[tool.flwr.app.components]
serverapp = "tiny.server:app"
clientapp = "tiny.client:app"
[tool.flwr.app.config]
clip = inf
`

// fabWith makes a FAB whose list of contents is what list makes of the right one.
func fabWith(t testing.TB, files map[string]string, list func(string) string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	var lines []string
	add := func(name, text string) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s,%x,%d", name, sha256.Sum256([]byte(text)), 8*len(text)))
	}
	for name, text := range files {
		add(name, text)
	}
	add(contentList, list(strings.Join(lines, "\n")))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheListOfContentsIsBounded(t *testing.T) {
	big := strings.Repeat("x", 4<<20)
	line := fmt.Sprintf("\ndata.py,%x,%d", sha256.Sum256([]byte(big)), 8*len(big))
	for want, list := range map[string]func(string) string{
		"":                         func(l string) string { return l },
		"lists data.py twice":      func(l string) string { return l + strings.Repeat(line, 10_000) },
		"contents is larger than":  func(l string) string { return l + strings.Repeat("\n"+strings.Repeat("y", 200)+",,", 20_000) },
		"which is not in it":       func(l string) string { return l + "\nother.py,00,8" },
		"contents cannot be read.": func(l string) string { return l + "\n,,,," },
		"data.py differs":          func(l string) string { return strings.Replace(l, line[1:], "data.py,00,8", 1) },
	} {
		fab := fabWith(t, map[string]string{"pyproject.toml": fabProject, "tiny/server.py": "", "tiny/client.py": "", "data.py": big}, list)
		_, err := readFAB(fab)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func FuzzFAB(f *testing.F) {
	f.Add(fabWith(f, map[string]string{"pyproject.toml": fabProject, "tiny/server.py": "", "tiny/client.py": ""}, func(l string) string { return l }))
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, fab []byte) {
		if len(fab) > 16<<10 {
			return
		}
		a, err := readFAB(fab)
		if err == nil && (a.Name == "" || a.Publisher == "") {
			t.Errorf("an app without a name: %+v", a)
		}
		if code := domain.CodeOf(err); err != nil && code != domain.Invalid {
			t.Errorf("an unreadable FAB is a fault of ours: %v", err)
		}
	})
}

// FuzzContent compares the files of a FAB with any list of contents: a list that is accepted names each file once, with its hash.
func FuzzContent(f *testing.F) {
	files, good := map[string]string{"pyproject.toml": fabProject, "a.py": "x"}, ""
	z, err := openZip(fabWith(f, files, func(l string) string { good = l; return l }))
	if err != nil {
		f.Fatal(err)
	}
	for _, list := range []string{good, good + "\n", "", "a.py,00,8", "a.py,00,8\na.py,00,8", ",,", ".info/CONTENT,,", strings.Repeat("\n", 100), "a/,0,0"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		if err := checkContent(z, list); err != nil {
			if domain.CodeOf(err) != domain.Invalid {
				t.Errorf("a wrong list is a fault of ours: %v", err)
			}
			return
		}
		seen := map[string]bool{}
		for _, line := range strings.Split(strings.TrimSpace(list), "\n") {
			name, rest, _ := strings.Cut(line, ",")
			text, there := files[name]
			if !there || seen[name] || !strings.HasPrefix(rest, fmt.Sprintf("%x,", sha256.Sum256([]byte(text)))) {
				t.Errorf("%q is accepted", list)
			}
			seen[name] = true
		}
	})
}
