package runs_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Every download says how long it is, gives out a part, and is not sent again when it has not changed.
func TestDownloadsCanBeResumed(t *testing.T) {
	s := newSite(t)
	s.Wrote(map[string]string{"model.npz": "the weights of a model"})
	log := s.Server.Runs.Engine.LogFile(s.Fed.ID, s.Run.EngineRunID)
	if err := os.WriteFile(log, []byte("INFO : one\nINFO : two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Server.Runs.MakeReceipts(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := s.Run.AppHash
	for path, kind := range map[string]string{
		"/f/fed/runs/r-1/artifacts/model.npz": "participant", "/api/v1/runs/r-1/artifacts/file?path=model.npz": "participant", "/f/fed/runs/r-1/receipt.json": "viewer", "/api/v1/runs/r-1/receipt": "viewer",
		"/f/fed/runs/r-1/log/text": "viewer", "/me/fed/bundle.zip": "participant", "/apps/p/n/" + app + "/fab": "admin", "/api/v1/apps/" + app + "/fab": "admin",
	} {
		whole := s.Get(kind, path)
		tag, size := whole.Header.Get("Etag"), strconv.Itoa(len(whole.Body))
		if whole.Status != http.StatusOK || whole.Body == "" || whole.Header.Get("Content-Length") != size ||
			whole.Header.Get("Accept-Ranges") != "bytes" || tag == "" {
			t.Fatalf("%s: %d, %s bytes, %v", path, whole.Status, size, whole.Header)
		}
		from := len(whole.Body) / 2
		part := s.GetWith(kind, path, "Range", fmt.Sprintf("bytes=%d-", from))
		if want := fmt.Sprintf("bytes %d-%d/%s", from, len(whole.Body)-1, size); part.Status != http.StatusPartialContent ||
			part.Body != whole.Body[from:] || part.Header.Get("Content-Range") != want {
			t.Errorf("%s: a part: %d %q %v, want %q", path, part.Status, part.Body, part.Header, want)
		}
		if a := s.GetWith(kind, path, "If-None-Match", tag); a.Status != http.StatusNotModified || a.Body != "" {
			t.Errorf("%s: unchanged: %d", path, a.Status)
		}
		if a := s.GetWith(kind, path, "Range", "bytes=999999999-"); a.Status != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("%s: beyond the end: %d", path, a.Status)
		}
		changed := s.Send(kind, http.MethodGet, path, nil, func(r *http.Request) {
			r.Header.Set("Range", "bytes=1-")
			r.Header.Set("If-Range",
				`"another"`)
		})
		if changed.Status != http.StatusOK || changed.Body != whole.Body {
			t.Errorf("%s: a part of something else: %d", path, changed.Status)
		}
		head := s.Send(kind, http.MethodHead, path, nil, nil)
		if head.Status != http.StatusOK || head.Body != "" || head.Header.Get("Content-Length") != size {
			t.Errorf("%s: HEAD: %d %v", path, head.Status, head.Header)
		}
	}
}

// A download of 2 GB that broke off goes on where it was; after a change it begins again.
func TestALargeArtifactIsResumed(t *testing.T) {
	s := newSite(t)
	const size, cut = 2<<30 + 12345, 1<<30 + 7
	file := filepath.Join(s.Wrote(map[string]string{"model.npz": "begin"}), "model.npz")
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil { // it takes no space
		t.Fatal(err)
	}
	for _, at := range []int64{cut - 3, size - 4} {
		if _, err := f.WriteAt([]byte("mark"), at); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.New()
	// download continues a download and reads so many bytes of it.
	download := func(from, most int64, tag string) (status int, newTag string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			"http://"+s.Server.Addr().String()+"/api/v1/runs/r-1/artifacts/file?path=model.npz", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.Cookies["viewer"]})
		if from > 0 {
			req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
			req.Header.Set("If-Range", tag)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode == http.StatusPartialContent && res.ContentLength != size-from || res.StatusCode == http.StatusOK && res.ContentLength != size {
			t.Errorf("from %d: %s with %d bytes", from, res.Status, res.ContentLength)
		}
		if n, err := io.CopyN(sum, res.Body, most); err != nil {
			t.Fatalf("from %d: %d bytes, %v", from, n, err)
		}
		return res.StatusCode, res.Header.Get("Etag")
	}
	status, tag := download(0, cut, "")
	if status != http.StatusOK || tag == "" {
		t.Fatalf("%d %q", status, tag)
	}
	if status, _ = download(cut, size-cut, tag); status != http.StatusPartialContent {
		t.Errorf("the rest: %d", status)
	}
	want := sha256.New()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := io.Copy(want, in); err != nil {
		t.Fatal(err)
	}
	if string(sum.Sum(nil)) != string(want.Sum(nil)) {
		t.Error("the two parts are not the file")
	}
	if _, err := f.WriteAt([]byte("new"), 100); err != nil {
		t.Fatal(err)
	}
	if status, _ = download(cut, 10, tag); status != http.StatusOK {
		t.Errorf("after a change: %d", status)
	}
}
