package artifacts

import (
	"archive/zip"
	"context"
	"io"
	"net/http"
	"path"
	"slices"

	"blossomtune/internal/domain"
	"blossomtune/internal/download"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// File gives out one file that the ServerApp wrote; never as something that a browser would run. An image may be drawn in a
// page of ours: by what it is, not by its name, and in a sandbox where nothing runs.
func (s *Pages) File(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
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
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", visit.Attachment(path.Base(r.PathValue("path"))))
	if r.URL.Query().Has("inline") && info.Size() <= maxImage {
		head := make([]byte, 512)
		n, err := f.ReadAt(head, 0)
		if err != nil && err != io.EOF {
			return err
		}
		if kind := http.DetectContentType(head[:n]); slices.Contains(images, kind) {
			h.Set("Content-Type", kind)
			h.Set("Content-Disposition", "inline")
		}
	}
	return download.File(w, r, f)
}

// maxZip bounds what is packed for one download: a sparse file of any size costs nothing to make, but a core to pack.
const maxZip = 64 << 30

// Zip gives out everything that the ServerApp wrote, packed as it is sent.
func (s *Pages) Zip(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	files, err := s.Runs.Artifacts(r.Context(), run)
	if err != nil {
		return err
	}
	var total int64
	for _, file := range files {
		total += file.Size
	}
	if total > maxZip {
		return domain.Errorf(domain.TooLarge, "The files have %s; a zip holds at most %s.", ui.Size(total),
			ui.Size(maxZip)).Fix("Download the files one by one.")
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", visit.Attachment(run.Name+".zip"))
	h.Set("Accept-Ranges", "none") // made as it is sent
	out := zip.NewWriter(w)
	for _, file := range files {
		if file.Problem != "" {
			continue
		}
		if err := s.pack(r.Context(), out, run, file); err != nil {
			if r.Context().Err() == nil {
				s.Log.Error("packing artifacts", "run", run.Name, "file", file.Path, "err", err)
			}
			panic(http.ErrAbortHandler) // half a file must not look like a whole one
		}
	}
	return out.Close()
}

func (s *Pages) pack(ctx context.Context, out *zip.Writer, run domain.Run, file runs.Artifact) error {
	f, err := s.Runs.OpenArtifact(ctx, run, file.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	to, err := out.CreateHeader(&zip.FileHeader{Name: run.Name + "/" + file.Path, Method: zip.Deflate, Modified: file.Changed})
	if err != nil {
		return err
	}
	_, err = io.Copy(to, f)
	return err
}
