package e2e

import (
	le "encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// The bundled sentiment analysis trains for real: torch and the other packages come from the package index by the product's own
// ways (dependency installation at the launch, --deps allow at the participants), the app comes from the catalog, and the loss falls.
// Where torch cannot be had the run fails, and this test with it.
func TestSentimentAnalysisTrains(t *testing.T) {
	linkable(t)
	s := start(t, 2)
	s.approved("North").join("--deps", "allow")
	s.approved("South").join("--deps", "allow")
	began := time.Now()
	var r runView
	s.admin.must("POST", "/federations/fed/runs", map[string]any{"app": s.bundled("blossomtune/quickstart-huggingface"), "install_dependencies": true,
		"config": map[string]string{"offline": "true", "num-server-rounds": "2"}}, &r)
	r = s.ends(r.Name, 9*time.Minute)
	if r.State != string(domain.Completed) {
		t.Fatalf("the run is %s: %+v\nIs the package index reachable, with torch and 6 GB of disk?\n%s", r.State, r.Cause, tail(s.logFile(r)))
	}
	fmt.Printf("MEASURED huggingface: %.0f seconds from launch to the final model, with the packages' installation\n", time.Since(began).Seconds())
	s.learned(r)
	s.safetensors(filepath.Join(filepath.Dir(s.logFile(r)), "work", "final_model", "model.safetensors"))
}

// linkable puts the test's files onto the disk of uv's cache: there an environment of 5 GB is made of links, not of copies.
func linkable(t *testing.T) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "blossomtune-test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
}

// bundled returns the hash of an app that the server brought along.
func (s *server) bundled(id string) string {
	s.t.Helper()
	hash := ""
	await(s.t, time.Minute, id+" is in the catalog", func() (string, bool) {
		var apps []struct{ ID, Hash string }
		s.admin.must("GET", "/apps", nil, &apps)
		for _, a := range apps {
			if a.ID == id {
				hash = a.Hash
			}
		}
		return fmt.Sprint(apps), hash != ""
	})
	return hash
}

// learned holds the two rounds against each other: both participants answered, and the federation's loss fell.
func (s *server) learned(r runView) {
	s.t.Helper()
	whole, from := map[string]float64{}, map[string]int{}
	for _, m := range s.metrics(r.Name) {
		if m.Node == "0" {
			whole[fmt.Sprint(m.Name, " ", m.Round)] = *m.Value
		} else {
			from[fmt.Sprint(m.Name, " ", m.Round)]++
		}
	}
	for _, name := range []string{"train_loss", "train_accuracy", "eval_loss", "eval_accuracy"} {
		for round := 1; round <= 2; round++ {
			if key := fmt.Sprint(name, " ", round); from[key] != 2 {
				s.t.Errorf("%s came from %d participants, not 2", key, from[key])
			}
		}
		first, ok1 := whole[name+" 1"]
		second, ok2 := whole[name+" 2"]
		s.t.Logf("%s: %.4f, then %.4f", name, first, second)
		if falls := name == "train_loss" || name == "eval_loss"; !ok1 || !ok2 || falls && second >= first || !falls && second <= first {
			s.t.Errorf("%s goes from %v (%v) to %v (%v)", name, first, ok1, second, ok2)
		}
	}
}

// safetensors reads a file's header: eight bytes of its length, then JSON of every tensor's place, which fill the file to its end.
func (s *server) safetensors(path string) {
	s.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(b) < 8 || le.LittleEndian.Uint64(b) > uint64(len(b)-8) {
		s.t.Fatalf("%s of %d bytes has no header", path, len(b))
	}
	size := int(le.LittleEndian.Uint64(b))
	type tensor struct {
		Dtype   string
		Shape   []int
		Offsets []int `json:"data_offsets"`
	}
	var header map[string]tensor
	if err := json.Unmarshal(b[8:8+size], &header); err != nil {
		s.t.Fatal(err)
	}
	end := 0
	for name, one := range header {
		if name != "__metadata__" && len(one.Offsets) != 2 {
			s.t.Fatalf("%s has no place: %+v", name, one)
		}
		if name != "__metadata__" {
			end = max(end, one.Offsets[1])
		}
	}
	if end != len(b)-8-size {
		s.t.Errorf("the tensors end at %d of %d bytes", end, len(b)-8-size)
	}
	words := header["bert.embeddings.word_embeddings.weight"]
	if words.Dtype != "F32" || fmt.Sprint(words.Shape) != "[30522 128]" {
		s.t.Errorf("the word embeddings are %+v", words)
	}
}
