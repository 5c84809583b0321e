package servertest

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const tinyProject = `[project]
name = "tiny"
version = "%s"
description = "A tiny app"

[tool.flwr.app]
publisher = "someone"

[tool.flwr.app.components]
serverapp = "tiny.server_app:app"
clientapp = "tiny.client_app:app"

[tool.flwr.app.config]
num-server-rounds = 3
lr = 0.5
mode = "fast"
flag = true
model.size = 8
prompt = "one\ntwo"

[tool.blossomtune.config.lr]
min = 0.0
max = 1.0

[tool.blossomtune.config.mode]
choices = ["fast", "good"]

[tool.blossomtune.presets.quick]
num-server-rounds = 1
`

// TinyFAB makes a FAB as Flower does.
func TinyFAB(t testing.TB, version, code string) []byte {
	t.Helper()
	return FAB(t, map[string]string{"pyproject.toml": fmt.Sprintf(tinyProject, version), "tiny/client_app.py": code,
		"tiny/server_app.py": "<script>alert(1)</script>\n"})
}

// FAB makes a FAB of files, in the order of their names.
func FAB(t testing.TB, files map[string]string) []byte {
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
		list += fmt.Sprintf("%s,%x,%d\n", name, sha256.Sum256([]byte(text)), 8*len(text))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		add(name, files[name])
	}
	add(".info/CONTENT", strings.TrimSpace(list))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Upload adds an app by the page's form and returns its address.
func (s *Site) Upload(kind string, fab []byte) Answer {
	s.T.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	w, err := form.CreateFormFile("upload", "tiny.fab")
	if err == nil {
		_, err = w.Write(fab)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		s.T.Fatal(err)
	}
	return s.Send(kind, http.MethodPost, "/apps", nil, func(r *http.Request) {
		r.Header.Set("Content-Type", form.FormDataContentType())
		r.Body, r.ContentLength = io.NopCloser(&body), int64(body.Len())
	})
}

// Tiny adds the test's app and returns its hash.
func (s *Site) Tiny() string {
	s.T.Helper()
	fab := TinyFAB(s.T, "1.0.0", "x = 1\n")
	if a := s.Upload("manager", fab); a.Status != http.StatusSeeOther {
		s.T.Fatalf("%d %s", a.Status, a.Body)
	}
	return fmt.Sprintf("%x", sha256.Sum256(fab))
}
