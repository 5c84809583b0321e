package site

import (
	"net/http"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/download"
	"blossomtune/internal/program"
	"blossomtune/internal/web/visit"
)

// How often one address may ask for programs. Many machines can share an address; a resumed download counts again.
const (
	programsMost   = 120
	programsWindow = 10 * time.Minute
)

// Program sends a program for participants' machines, or SHA256SUMS. It is no secret, so everyone may have it.
func (s *Pages) Program(w http.ResponseWriter, r *http.Request, _ *visit.Visit) error {
	if !s.gets.Allow(s.ClientAddress(r), s.Clock()) {
		return domain.Errorf(domain.Limited, "Too many downloads from your address.").Fix("Wait ten minutes, then try again.")
	}
	w.Header().Set("Cache-Control", "no-cache")
	if name := r.PathValue("name"); name != "SHA256SUMS" {
		return s.sendProgram(w, r, name)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	download.Bytes(w, r, []byte(program.Sums(s.Programs.List())))
	return nil
}

func (s *Pages) sendProgram(w http.ResponseWriter, r *http.Request, name string) error {
	f, p, err := s.Programs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+p.Name+`"`)
	return download.Hashed(w, r, f, p.SHA256)
}
