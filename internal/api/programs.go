package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
)

func (a *api) programs() {
	add(a, op("list-programs", http.MethodGet, "/programs", "The programs for participants' machines, with their hashes", anyone),
		a.listPrograms)
}

func (a *api) listPrograms(context.Context, *none) (*body[client.Programs], error) {
	out := client.Programs{Version: a.Version, Programs: []client.ProgramView{}}
	for _, p := range a.Programs.List() {
		out.Programs = append(out.Programs, client.ProgramView{OS: p.OS, Arch: p.Arch, Version: p.Version, Name: p.Name,
			URL: a.Connection().PublicURL + "/download/" + p.Name, Size: p.Size, SHA256: p.SHA256})
	}
	return answer(out), nil
}
