package e2e

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/tlsca"
)

// packageIndex is a package index as PEP 503 has it, of plain files by https, with one package: blossomtune-probe 1.0, which knows the
// number of the index that it is from.
type packageIndex struct {
	url string
	ca  string // a file with the certificate that it shows

	mu   sync.Mutex
	seen []string
}

func newIndex(t *testing.T, origin int) *packageIndex {
	t.Helper()
	dir := t.TempDir()
	page := filepath.Join(dir, "simple", "blossomtune-probe")
	if err := os.MkdirAll(page, 0o700); err != nil {
		t.Fatal(err)
	}
	const name = "blossomtune_probe-1.0-py3-none-any.whl"
	wheel := probeWheel(t, origin)
	sum := sha256.Sum256(wheel)
	html := fmt.Sprintf("<!DOCTYPE html><html><body><a href=\"%s#sha256=%s\">%s</a></body></html>\n", name, hex.EncodeToString(sum[:]), name)
	for file, content := range map[string][]byte{name: wheel, "index.html": []byte(html)} {
		if err := os.WriteFile(filepath.Join(page, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	x := &packageIndex{ca: filepath.Join(t.TempDir(), "ca.pem")}
	files := http.FileServer(http.Dir(dir))
	ca, err := tlsca.Open(tlsca.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		x.seen = append(x.seen, r.URL.Path)
		x.mu.Unlock()
		files.ServeHTTP(w, r)
	}))
	srv.TLS = ca.TLSConfig()
	srv.StartTLS()
	t.Cleanup(srv.Close)
	x.url = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1) + "/simple"
	if err := os.WriteFile(x.ca, ca.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return x
}

// took reports whether somebody has downloaded the package.
func (x *packageIndex) took() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.seen, func(path string) bool { return strings.HasSuffix(path, ".whl") })
}

// probeWheel builds the package, from its source here.
func probeWheel(t *testing.T, origin int) []byte {
	t.Helper()
	const info = "blossomtune_probe-1.0.dist-info/"
	files := [][2]string{
		{"blossomtune_probe.py", fmt.Sprintf("\"\"\"A package for end-to-end tests.\"\"\"\n\nORIGIN = %d\n", origin)},
		{info + "METADATA", "Metadata-Version: 2.1\nName: blossomtune-probe\nVersion: 1.0\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: blossomtune\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
	}
	var record strings.Builder
	for _, f := range files {
		sum := sha256.Sum256([]byte(f[1]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f[0], base64.RawURLEncoding.EncodeToString(sum[:]), len(f[1]))
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range append(files, [2]string{info + "RECORD", record.String() + info + "RECORD,,\n"}) {
		w, err := z.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A launch's package index is where uv gets the ServerApp's packages from, and no participant's machine: that installs from the index
// that it is configured with itself.
func TestPackagesComeFromTheIndexThatIsNamed(t *testing.T) {
	ofRun, ofNode := newIndex(t, 1), newIndex(t, 2)
	s := startWith(t, 10, freeAddr(t), "SSL_CERT_FILE="+ofRun.ca)
	p := s.approved("Owner")
	p.env = []string{"UV_DEFAULT_INDEX=" + ofNode.url, "SSL_CERT_FILE=" + ofNode.ca}
	p.join("--deps", "allow")
	hash := s.app("probe")

	s.launchWith(hash, "installs", nil, map[string]any{"install_dependencies": true, "package_index": ofRun.url})
	r := s.becomes("installs", "completed", 2*time.Minute)
	log, err := os.ReadFile(s.logFile(r))
	if err != nil || !strings.Contains(string(log), "ORIGIN 1\n") || !strings.Contains(string(log), "Installed: [blossomtune-probe==1.0]") || !strings.Contains(string(log), "PROBE DONE") {
		t.Errorf("%v, its log:\n%s", err, log)
	}
	if !ofRun.took() {
		t.Error("the package did not come from the run's index")
	}
	measured := 0.0
	for _, m := range s.metrics("installs") {
		if m.Name == "origin" && m.Node == s.node(p.partition).NodeID {
			measured = *m.Value
		}
	}
	if measured != 2 || !ofNode.took() {
		t.Errorf("beside the SuperNode the package came from index %v, and %v from that of its machine", measured, ofNode.took())
	}

	s.launchWith(hash, "lacks", nil, map[string]any{"install_dependencies": true, "package_index": strings.TrimSuffix(ofRun.url, "simple") + "other"})
	s.failedBy("lacks", "608", "ServerApp", "Installing blossomtune-probe 1.0 failed: the package index has no such package", 2*time.Minute)

	plain := map[string]any{"app": hash, "name": "plain", "settings": map[string]any{"package_index": strings.Replace(ofRun.url, "https:", "http:", 1)}}
	refused(t, s.admin.try("POST", "/federations/fed/runs", plain, nil), domain.Invalid, "package_index")
}
