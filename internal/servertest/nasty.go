package servertest

import (
	"blossomtune/internal/config"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/store/storetest"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// NastyTexts are what no form or operation may stumble over: what a database cannot hold, characters that a cut may split, numbers
// that are none, and text that other programs read as code.
var NastyTexts = map[string]string{
	"empty": "", "blank": " \t ", "NUL": "a\x00b", "invalid UTF-8": "a\xff\xfe", "surrogate": "a\xed\xa0\x80", "half a letter": "\xc3",
	"letters to split": "x" + strings.Repeat("ü", 4000), "wide letters": "xy" + strings.Repeat("😀", 3000),
	"long": strings.Repeat("x", 70_000), "lines": "a\r\nb\x0b\u2028c", "right to left": "\u202eabc\u200b\ufeff", "inf": "inf", "nan": "NaN",
	"huge number": "1e999", "int64 and one": "9223372036854775808", "negative": "-1",
	"least int64": "-9223372036854775808", "percent": "100%_%00", "quotes": `"'\`, "path": "../../../etc/passwd",
	"script": "<script>&lt;{{1}}</script>", "time": "9999999-99-99T99:99:99Z", "year": "292277026597-01-01",
}

const infiniteProject = `
[project]
name = "infinite"
version = "1.0.0"
description = "` + "%s" + `"
[tool.flwr.app]
publisher = "someone"
[tool.flwr.app.components]
serverapp = "tiny.server_app:app"
clientapp = "tiny.client_app:app"
[tool.flwr.app.config]
num-server-rounds = 3
clip = inf
low = -inf
odd.nested = nan
name = "x"
[tool.blossomtune.config.clip]
choices = [inf, 1.0, nan]
max = inf
[tool.blossomtune.presets.none]
clip = nan
`

// NastySites runs a test on a server with an app whose config JSON cannot hold, on each database.
func NastySites(t *testing.T, test func(t *testing.T, s *Site, hash string)) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			s := NewWith(t, func(c *config.Config) {
				c.BehindProxy = true
				if kind == "postgres" {
					c.Database = storetest.PostgresURL(t)
				}
			})
			fab := FAB(t, map[string]string{"pyproject.toml": fmt.Sprintf(infiniteProject, strings.Repeat("x", 499)+"üü"),
				"tiny/client_app.py": "", "tiny/server_app.py": ""})
			a := s.Send("admin", http.MethodPost, "/api/v1/apps?filename=x.fab", nil, func(r *http.Request) {
				r.Body, r.ContentLength = Body(string(fab)), int64(len(fab))
				r.Header.Set("Content-Type", "application/octet-stream")
			})
			var app struct{ Hash, Summary string }
			if err := json.Unmarshal([]byte(a.Body), &app); err != nil || app.Hash == "" || app.Summary != strings.Repeat("x", 499) {
				t.Fatalf("adding an app with inf and nan: %d %s %v", a.Status, a.Body, err)
			}
			test(t, s, app.Hash)
			if a := s.Get("stranger", "/healthz"); a.Status != http.StatusOK {
				t.Errorf("afterwards the server answers %d", a.Status)
			}
			log, err := os.ReadFile(s.Log)
			if i := strings.Index(string(log), "panic"); err != nil || i >= 0 {
				t.Errorf("the log tells of a panic: %s %v", log[i:min(len(log), i+2000)], err)
			}
		})
	}
}

// Attempt is one request of a table of nasty ones.
type Attempt struct {
	What, Method, Path, Body, ContentType string
	Key                                   *ecdsa.PrivateKey // of the SuperNode that signs it; may be nil
}

// Attempt sends the ith request of a table from an address of its own, a little later than the one before: no limit may hide an answer.
func (s *Site) Attempt(i int, a Attempt) int {
	s.T.Helper()
	s.Passes(20 * time.Second)
	kind := "admin"
	if strings.HasPrefix(a.Path, "/api/v1/me/requests/") || strings.HasPrefix(a.Path, "/me/fed") {
		kind = "participant"
	}
	res := s.Send(kind, a.Method, a.Path, nil, func(r *http.Request) {
		r.Body, r.ContentLength = Body(a.Body), int64(len(a.Body))
		r.Header.Set("Content-Type", a.ContentType)
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255))
		if a.Key != nil {
			signature, err := wire.SignCall(a.Key, a.Method, a.Path, []byte(a.Body), s.Now())
			if err != nil {
				s.T.Fatal(err)
			}
			maps.Copy(r.Header, signature)
		}
		r.Header["User-Agent"] = []string{strings.Repeat("x", 199) + "ü\xff"}
	})
	if res.Status >= 500 {
		s.T.Errorf("%.300s: %s %.200s %.300s\n%d %.500s", a.What, a.Method, a.Path, a.Body, res.Status, res.Body)
	}
	return res.Status
}
