package api

import (
	"context"
	"mime"
	"net/http"
	"path"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/download"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

type artifactInput struct {
	RunPath
	Path string `query:"path" maxLength:"1000" doc:"As in the list"`
}

func (a *api) artifactOps() {
	files := op("list-artifacts", http.MethodGet, "/runs/{run}/artifacts", "The files that a run's ServerApp wrote; none once the federation's rule has removed them", signedIn)
	files.Description = "Download each file with download-artifact, which can be resumed. The zip of all files on the run's page is packed as it is sent and cannot be resumed."
	add(a, files, a.listArtifacts)
	file := op("download-artifact", http.MethodGet, "/runs/{run}/artifacts/file", "One file that a run's ServerApp wrote", signedIn)
	file.Responses = fileResponses("The file", "application/octet-stream", bytesSchema)
	add(a, file, a.artifact)
}

func (a *api) listArtifacts(ctx context.Context, in *RunPath) (*body[[]client.Artifact], error) {
	run, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	files, err := a.Runs.Artifacts(ctx, run)
	out := make([]client.Artifact, len(files))
	for i, f := range files {
		out[i] = client.Artifact{Path: f.Path, Size: f.Size, Problem: f.Problem, ChangedAt: f.Changed.UTC()}
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
	return fileAnswer(func(w http.ResponseWriter, r *http.Request) {
		defer f.Close()
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(in.Path)}))
		if err := download.File(w, r, f); err != nil {
			a.Log.Error("sending an artifact", "run", run.Name, "err", err)
			writeError(w, err)
		}
	}), nil
}

// fileAnswer is an answer that can be resumed; send writes it with package download.
func fileAnswer(send func(http.ResponseWriter, *http.Request)) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		send(w, r)
	}}
}

// bytesSchema is that of a file of any kind.
var bytesSchema = &huma.Schema{Type: "string", Format: "binary"}

// problemSchema is that of every error; operations that name several answers must name it too.
var problemSchema = &huma.Schema{Ref: "#/components/schemas/Problem"}

// fileResponses describes the answers of an operation that gives out a file.
func fileResponses(what, contentType string, schema *huma.Schema) map[string]*huma.Response {
	content := map[string]*huma.MediaType{contentType: {Schema: schema}}
	return map[string]*huma.Response{
		"200":     {Description: what, Content: content},
		"206":     {Description: "The part that a Range header asked for", Content: map[string]*huma.MediaType{contentType: {Schema: bytesSchema}}},
		"304":     {Description: "What If-None-Match or If-Modified-Since named has not changed"},
		"416":     {Description: "The file does not have the range"},
		"default": {Description: "Error", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problemSchema}}},
	}
}
