package web

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

//go:embed all:assets/dist
var distFiles embed.FS

const distDir = "assets/dist"

// assets are the built style sheet, script and icons. Their names hold a hash of their content, so browsers keep them for ever.
type assets struct {
	files fs.FS
	names map[string]string // plain name to hashed name; empty when the assets were not built
}

func openAssets(files fs.FS) (*assets, error) {
	a := &assets{files: files, names: map[string]string{}}
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

// built reports whether there is anything to serve.
func (a *assets) built() bool { return len(a.names) > 0 }

// url returns the address of an asset by its plain name.
func (a *assets) url(name string) string { return "/assets/" + a.names[name] }

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
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
func (a *assets) read(name, accepted string) (body []byte, encoding string, err error) {
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
