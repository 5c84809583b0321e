package web

import (
	"mime"
	"net/http"
	"path"
)

func attachment(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

// artifact gives out one file that the ServerApp wrote; never as something that a browser would run.
func (s *server) artifact(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	f, err := s.Runs.OpenArtifact(r.Context(), run, r.PathValue("path"))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", attachment(path.Base(r.PathValue("path"))))
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}
