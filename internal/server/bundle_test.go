package server

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The bundle has all that is needed to connect, and nothing secret.
func TestBundleHoldsNoSecret(t *testing.T) {
	s := newSite(t)
	a := s.get("participant", "/me/fed/bundle.zip")
	z, err := zip.NewReader(bytes.NewReader([]byte(a.body)), int64(len(a.body)))
	if a.status != http.StatusOK || err != nil {
		t.Fatal(a.status, err)
	}
	all := ""
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all += "== " + f.Name + "\n" + string(text)
	}
	for _, want := range []string{"fed/README.txt", "fed/connect.sh", "fed/ca.pem", "blossomtune join " + s.app.PublicURL() + "\n", "partition-id=0 num-partitions=10", "BEGIN CERTIFICATE"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, secret := range []string{"PRIVATE", "--token"} {
		if strings.Contains(all, secret) {
			t.Errorf("it holds %q:\n%s", secret, all)
		}
	}
	if a := s.get("asker", "/me/fed/bundle.zip"); a.status != http.StatusConflict {
		t.Errorf("somebody who is not approved: %d", a.status)
	}
	if a := s.get("participant", "/me/fed/it"); a.status != http.StatusOK || !strings.Contains(a.body, s.app.SuperLinkAddress()) || !strings.Contains(a.body, "blossomtune leave") {
		t.Errorf("the page for IT: %d", a.status)
	}
}
