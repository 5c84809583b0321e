// Package assets holds the style sheet, script and icons of the pages as they were built from src, and serves them.
package assets

import (
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var distFiles embed.FS

const distDir = "dist"

// Set are the built style sheet, script and icons. Their names hold a hash of their content, so browsers keep them for ever.
type Set struct {
	files fs.FS
	names map[string]string // plain name to hashed name; empty when the assets were not built
}

// Open returns the assets that are part of this binary. Without a build there are none; that is no error.
func Open() (*Set, error) { return open(distFiles) }

func open(files fs.FS) (*Set, error) {
	a := &Set{files: files, names: map[string]string{}}
	text, err := fs.ReadFile(files, distDir+"/manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil // pages say so
	}
	if err != nil {
		return nil, fmt.Errorf("reading the assets: %w", err)
	}
	if err := json.Unmarshal(text, &a.names); err != nil {
		return nil, fmt.Errorf("reading the assets' manifest: %w", err)
	}
	return a, nil
}

// Built reports whether there is anything to serve.
func (a *Set) Built() bool { return len(a.names) > 0 }

// URL returns the address of an asset by its plain name.
func (a *Set) URL(name string) string { return "/assets/" + a.names[name] }

// Serve answers with the asset of the address, compressed where the browser takes that.
func (a *Set) Serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	known := false
	for _, hashed := range a.names {
		known = known || hashed == name
	}
	if !known {
		http.NotFound(w, r)
		return
	}
	body, encoding, err := a.read(name, r.Header.Get("Accept-Encoding"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Add("Vary", "Accept-Encoding")
	_, _ = w.Write(body)
}

// read returns a file as it was compressed at build time, or decompressed for the rare client that accepts neither encoding.
func (a *Set) read(name, accepted string) (body []byte, encoding string, err error) {
	for _, c := range []struct{ encoding, ext string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if strings.Contains(accepted, c.encoding) {
			if body, err = fs.ReadFile(a.files, path.Join(distDir, name+c.ext)); err == nil {
				return body, c.encoding, nil
			}
		}
	}
	f, err := a.files.Open(path.Join(distDir, name+".gz"))
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, "", err
	}
	body, err = io.ReadAll(z)
	return body, "", err
}
