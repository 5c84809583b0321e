package api

import (
	"context"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"blossomtune/internal/domain"
)

// Artifact is a file that the ServerApp of a run wrote.
type Artifact struct {
	Path      string    `json:"path" doc:"Relative, with slashes; bytes that are not UTF-8 as %XX"`
	Size      int64     `json:"size" doc:"Bytes"`
	Problem   string    `json:"problem,omitempty" doc:"Why it cannot be downloaded: what it is instead of a file, or that it cannot be read"`
	ChangedAt time.Time `json:"changed_at"`
}

type artifactInput struct {
	RunPath
	Path string `query:"path" maxLength:"1000" doc:"As in the list"`
}

func (a *api) artifactOps() {
	add(a, op("list-artifacts", http.MethodGet, "/runs/{run}/artifacts", "The files that a run's ServerApp wrote; none once the federation's rule has removed them", signedIn), a.listArtifacts)
	file := op("download-artifact", http.MethodGet, "/runs/{run}/artifacts/file", "One file that a run's ServerApp wrote", signedIn)
	file.Responses = map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	add(a, file, a.artifact)
}

func (a *api) listArtifacts(ctx context.Context, in *RunPath) (*body[[]Artifact], error) {
	run, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	files, err := a.Runs.Artifacts(ctx, run)
	out := make([]Artifact, len(files))
	for i, f := range files {
		out[i] = Artifact{Path: f.Path, Size: f.Size, Problem: f.Problem, ChangedAt: f.Changed.UTC()}
	}
	return answer(out), err
}

func (a *api) artifact(ctx context.Context, in *artifactInput) (*huma.StreamResponse, error) {
	run, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	f, err := a.Runs.OpenArtifact(ctx, run, in.Path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer f.Close()
		c.SetHeader("Content-Type", "application/octet-stream")
		c.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(in.Path)}))
		c.SetHeader("Content-Length", strconv.FormatInt(info.Size(), 10))
		_, _ = io.CopyN(c.BodyWriter(), f, info.Size()) // a ServerApp may write on; what was told comes, or the connection shows that it did not
	}}, nil
}
