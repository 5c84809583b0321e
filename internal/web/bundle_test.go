package web_test

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
	a := s.Get("participant", "/me/fed/bundle.zip")
	z, err := zip.NewReader(bytes.NewReader([]byte(a.Body)), int64(len(a.Body)))
	if a.Status != http.StatusOK || err != nil {
		t.Fatal(a.Status, err)
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
	for _, want := range []string{"fed/README.txt", "fed/connect.sh", "fed/ca.pem", "blossomtune join " + s.Server.PublicURL() + "\n",
		"partition-id=0 num-partitions=10", "BEGIN CERTIFICATE"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, secret := range []string{"PRIVATE", "--token"} {
		if strings.Contains(all, secret) {
			t.Errorf("it holds %q:\n%s", secret, all)
		}
	}
	if a := s.Get("asker", "/me/fed/bundle.zip"); a.Status != http.StatusConflict {
		t.Errorf("somebody who is not approved: %d", a.Status)
	}
	if a := s.Get("participant", "/me/fed/it"); a.Status != http.StatusOK || !strings.Contains(a.Body, s.Server.SuperLinkAddress()) ||
		!strings.Contains(a.Body, "blossomtune leave") {
		t.Errorf("the page for IT: %d", a.Status)
	}
}
