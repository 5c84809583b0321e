package assets

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

func TestAssetsAreServedAsTheClientAccepts(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte("plain text"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := open(fstest.MapFS{distDir + "/manifest.json": {Data: []byte(`{"app.js":"app-1.js"}`)},
		distDir + "/app-1.js.gz": {Data: zipped.Bytes()}, distDir + "/app-1.js.br": {Data: []byte("brotli")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ accept, encoding, body string }{
		{"gzip, deflate, br", "br", "brotli"}, {"gzip", "gzip", zipped.String()}, {"", "", "plain text"}} {
		r, w := httptest.NewRequest(http.MethodGet, "/assets/app-1.js", nil), httptest.NewRecorder()
		r.SetPathValue("file", "app-1.js")
		r.Header.Set("Accept-Encoding", c.accept)
		a.Serve(w, r)
		if w.Code != 200 || w.Body.String() != c.body || w.Header().Get("Content-Encoding") != c.encoding {
			t.Errorf("accepting %q: %d, %q, %q", c.accept, w.Code, w.Header().Get("Content-Encoding"), w.Body)
		}
	}
}
