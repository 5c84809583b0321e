package api

import (
	"context"
	"net/http"
)

// Programs are what a participant's machine can download from this server.
type Programs struct {
	Version  string        `json:"version" doc:"Of the server"`
	Programs []ProgramView `json:"programs"`
}

// ProgramView is one program to download.
type ProgramView struct {
	OS      string `json:"os" enum:"linux,darwin,windows"`
	Arch    string `json:"arch" enum:"amd64,arm64"`
	Version string `json:"version"`
	Name    string `json:"name"`
	URL     string `json:"url" doc:"No sign-in is needed; range requests are answered"`
	Size    int64  `json:"size" doc:"Bytes"`
	SHA256  string `json:"sha256" doc:"In hex"`
}

func (a *api) programs() {
	add(a, op("list-programs", http.MethodGet, "/programs", "The programs for participants' machines, with their hashes", anyone),
		a.listPrograms)
}

func (a *api) listPrograms(context.Context, *none) (*body[Programs], error) {
	out := Programs{Version: a.Version, Programs: []ProgramView{}}
	for _, p := range a.Programs.List() {
		out.Programs = append(out.Programs, ProgramView{OS: p.OS, Arch: p.Arch, Version: p.Version, Name: p.Name,
			URL: a.Connection().PublicURL + "/download/" + p.Name, Size: p.Size, SHA256: p.SHA256})
	}
	return answer(out), nil
}
