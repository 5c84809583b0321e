package runs_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/receipt"
	"blossomtune/internal/store"
)

const aPNG = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"

func safetensors() string {
	head := `{"__metadata__":{"a":"b"},"layer.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}`
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(head)))) + head + strings.Repeat("\x00", 24)
}

func artifactFiles() map[string]string {
	return map[string]string{
		"notes.txt": "<script>alert(1)</script>", "page.html": "<html><script>alert(2)</script></html>", "drawing.svg": `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(3)</script></svg>`,
		"result.json": `{"accuracy":0.5,"list":[1,2]}`, "history.csv": "round,loss\n1,0.5\n2,<b>0.25</b>\n", "plots/loss.png": aPNG, "lies.png": "<html><script>alert(4)</script></html>",
		"model.safetensors": safetensors(), "model.npz": "PK\x03\x04\x00\x00", "empty": "", "a b?#%.txt": "odd name", "long.txt": strings.Repeat("x\n", 200_000),
	}
}

// What a ServerApp wrote is shown as far as that is safe: nothing in it ever runs.
func TestArtifactsAreShownAndNothingRuns(t *testing.T) {
	s := newSite(t)
	s.Wrote(artifactFiles())
	page := s.Get("participant", "/f/fed/runs/r-1").Body
	if !strings.Contains(page, "12 files") || !strings.Contains(page, "/preview/plots/loss.png") || !strings.Contains(page, "a%20b%3F%23%25.txt") {
		t.Error("the files are not listed")
	}
	for path, want := range map[string][]string{
		"notes.txt": {"&lt;script&gt;"}, "page.html": {"&lt;script&gt;alert(2)"}, "drawing.svg": {"&lt;svg"}, "lies.png": {"&lt;script&gt;alert(4)"}, "result.json": {"JSON", "\n  &#34;accuracy&#34;: 0.5"},
		"history.csv": {"2 columns", "<th>loss</th>", "&lt;b&gt;0.25"}, "plots/loss.png": {"image/png", `src="/f/fed/runs/r-1/artifacts/plots/loss.png?inline=1"`},
		"model.safetensors": {"1 tensor, 6 numbers", "<td>layer.weight</td>", "<td>[2 3]</td>", "<td>24 B</td>"}, "model.npz": {"download it"}, "empty": {"The file is empty"}, "a%20b%3F%23%25.txt": {"odd name"}, "long.txt": {"The first 262 kB of 400 kB."},
	} {
		a := s.Get("participant", "/f/fed/runs/r-1/preview/"+path)
		if a.Status != http.StatusOK || strings.Contains(a.Body, "<script>alert") || strings.Contains(a.Body, "<svg xmlns") {
			t.Errorf("%s: %d, or it would run", path, a.Status)
		}
		for _, words := range want {
			if !strings.Contains(a.Body, words) {
				t.Errorf("%s lacks %q", path, words)
			}
		}
		for _, ask := range []string{"", "?inline=1"} {
			f := s.Get("participant", "/f/fed/runs/r-1/artifacts/"+path+ask)
			kind, inline := f.Header.Get("Content-Type"), strings.HasPrefix(f.Header.Get("Content-Disposition"), "inline")
			if f.Status != http.StatusOK || f.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" ||
				f.Header.Get("X-Content-Type-Options") != "nosniff" || inline != (ask != "" && path == "plots/loss.png") || !inline &&
				kind != "application/octet-stream" {
				t.Errorf("%s%s: %d %v", path, ask, f.Status, f.Header)
			}
		}
	}
	for _, path := range []string{"../../../server.log", "%2e%2e/x", "..%2f..%2fkeeper.json", "nothing"} {
		if a := s.Get("manager", "/f/fed/runs/r-1/preview/"+path); a.Status == http.StatusOK {
			t.Errorf("%s leads out", path)
		}
	}
	var listed []struct {
		Path string
		Size int
	}
	if err := json.Unmarshal([]byte(s.Get("participant", "/api/v1/runs/r-1/artifacts").Body), &listed); err != nil || len(listed) != 12 {
		t.Errorf("the API lists %d files, %v", len(listed), err)
	}
	for _, f := range listed {
		if a := s.Get("participant", "/api/v1/runs/r-1/artifacts/file?path="+url.QueryEscape(f.Path)); a.Status != http.StatusOK ||
			len(a.Body) != f.Size || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s by the API: %d, %d of %d bytes, %v", f.Path, a.Status, len(a.Body), f.Size, a.Header)
		}
	}
	if a := s.Get("manager", "/api/v1/runs/r-1/artifacts/file?path="+url.QueryEscape("../serverapp.log")); a.Status != http.StatusNotFound {
		t.Errorf("a path that leads out: %d", a.Status)
	}
	all := s.Get("viewer", "/f/fed/runs/r-1/artifacts.zip")
	z, err := zip.NewReader(bytes.NewReader([]byte(all.Body)), int64(len(all.Body)))
	if err != nil || len(z.File) != 12 {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r)
		if want := artifactFiles()[strings.TrimPrefix(f.Name, "r-1/")]; string(text) != want {
			t.Errorf("%s in the zip has %d bytes, not %d", f.Name, len(text), len(want))
		}
	}
}

// The receipt of a run tells of every file that it wrote and of its log; it is the same by page and API, and its key is public.
func TestReceiptTellsOfEveryFile(t *testing.T) {
	s := newSite(t)
	s.Wrote(artifactFiles())
	ctx := t.Context()
	log := s.Server.Runs.Engine.LogFile(s.Fed.ID, s.Run.EngineRunID)
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("INFO : done\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Server.DB.InTx(ctx, func(tx *store.Tx) error {
		if _, err := tx.InsertMetrics(ctx, []domain.Metric{{FederationID: s.Fed.ID, EngineRunID: 42, Round: 1, Phase: domain.PhaseEvaluate,
			Name: "accuracy", Value: 0.75}, {FederationID: s.Fed.ID, EngineRunID: 42, Round: 1, Phase: domain.PhaseTrain, NodeID: 9, Name: "loss",
			Value: 2}}); err != nil {
			return err
		}
		return tx.UpsertExchanges(ctx, []domain.Exchange{{FederationID: s.Fed.ID, EngineRunID: 42, Round: 1, Phase: domain.PhaseTrain,
			NodeID: 9, MessageID: "m", AskedAt: time.Now(), RepliedAt: time.Now(), ReplyObject: "ab12"}})
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Server.Runs.MakeReceipts(ctx); err != nil {
		t.Fatal(err)
	}
	text := s.Get("participant", "/f/fed/runs/r-1/receipt.json").Body
	if api := s.Get("participant", "/api/v1/runs/r-1/receipt"); api.Body != text || api.Header.Get("Content-Type") != "application/json" {
		t.Errorf("the API gives another one: %d %v", api.Status, api.Header)
	}
	key, err := receipt.ParseKey([]byte(s.Get("stranger", "/receipt-key.pem").Body))
	if err != nil {
		t.Fatal(err)
	}
	st, id, err := receipt.Open([]byte(text), key)
	if err != nil {
		t.Fatal(err)
	}
	files := artifactFiles()
	for name, want := range map[string]string{"artifact/plots/loss.png": files["plots/loss.png"], "artifact/model.safetensors": files["model.safetensors"], "log": "INFO : done\n"} {
		sum := sha256.Sum256([]byte(want))
		if got := st.Find(hex.EncodeToString(sum[:])); len(got) != 1 || got[0] != name {
			t.Errorf("%s: %v", name, got)
		}
	}
	p := st.Predicate
	if len(st.Subject) != 14 || st.Subject[0].Digest["sha256"] != s.Run.AppHash || p.Run != "r-1" || p.Federation != "fed" ||
		p.Lock.Flwr != s.Server.FlwrVersion() || p.Rounds[0].Replies[0].Object != "ab12" ||
		len(p.Metrics) != 1 || p.Metrics[0].Value != 0.75 || p.AllMetrics.Count != 2 || p.Replies.Count != 1 {
		t.Errorf("%+v", st)
	}
	if page := s.Get("viewer", "/f/fed/runs/r-1").Body; !strings.Contains(page, "receipt.json") || !strings.Contains(page, id) {
		t.Error("the page does not offer it")
	}
	if strings.Contains(text, "participant@") || strings.Contains(text, "manager") {
		t.Error("the receipt names people")
	}
	if got := s.Audited("r-1"); len(got) != 1 || got[0] != "run.receipt" {
		t.Error(got)
	}
}

// Files go as the federation's rule says, after the receipt has their hashes; the page says when.
func TestFilesAreKeptByRule(t *testing.T) {
	s := newSite(t)
	dir := s.Wrote(map[string]string{"model.npz": "x", "sub/y": "yy"})
	ctx := t.Context()
	if a := s.Post("manager", "/f/fed/settings/artifacts", "keep_days", "-1", "keep_runs", "x"); a.Status != 422 ||
		!strings.Contains(a.Body, `value="x"`) {
		t.Error(a.Status)
	}
	there := func(want bool) {
		t.Helper()
		if err := s.Server.Runs.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "model.npz")); (err == nil) != want {
			t.Errorf("the file is there: %v", err == nil)
		}
	}
	there(true) // no rule
	if a := s.Post("manager", "/f/fed/settings/artifacts", "keep_days", "7", "keep_runs", ""); a.Status != http.StatusSeeOther {
		t.Error(a.Status)
	}
	there(true) // ended just now
	if page := s.Get("viewer", "/f/fed/runs/r-1").Body; !strings.Contains(page, "Kept for 7 days after the run&#39;s end. They go on ") {
		t.Error("the page does not say when they go")
	}
	s.Run.EndedAt = time.Now().Add(-8 * 24 * time.Hour)
	if err := s.Server.DB.InTx(ctx, func(tx *store.Tx) error { return tx.UpdateRun(ctx, s.Run) }); err != nil {
		t.Fatal(err)
	}
	there(true) // no receipt yet
	if err := s.Server.Runs.MakeReceipts(ctx); err != nil {
		t.Fatal(err)
	}
	s.Post("manager", "/f/fed/settings/artifacts", "keep_days", "7", "keep_runs", "1")
	there(true) // among the last one
	s.FillRuns(1, 1, 1)
	there(false)
	if page := s.Get("viewer", "/f/fed/runs/r-1").Body; !strings.Contains(page, "2 files with 3 B went on ") {
		t.Error("the page does not say that they went")
	}
	if got := s.Audited("r-1"); got[0] != "run.files_removed" {
		t.Error(got)
	}
}
