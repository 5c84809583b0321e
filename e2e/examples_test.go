package e2e

import (
	"html"
	"io/fs"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"blossomtune/docs"
)

// The examples of the manual and of the page /api work as they are written, one after the other, in a shell.
func TestExamplesOfTheAPIWork(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	hash := s.app("works")
	s.launchWith(hash, "earlier", map[string]string{}, nil)
	text, err := fs.ReadFile(docs.Files, "api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range append([]string{s.exampleOfThePage()}, examplesOf(t, string(text))...) {
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", `curl() { command curl -sS --fail-with-body "$@"; }`+"\n"+example)
		cmd.Env = append(cmd.Environ(), "TOKEN="+s.admin.Token, "SERVER="+s.url, "HASH="+hash, "FEDERATION=fed")
		if out, err := cmd.CombinedOutput(); err != nil || len(strings.TrimSpace(string(out))) == 0 {
			t.Errorf("%v\n%s\n%s", err, example, out)
		}
	}
}

// exampleOfThePage is what /api offers to copy.
func (s *server) exampleOfThePage() string {
	s.t.Helper()
	status, text := s.page("", "/api")
	found := regexp.MustCompile(`(?s)<code id="api-call"[^>]*>(.*?)</code>`).FindStringSubmatch(text)
	if found == nil {
		s.t.Fatal("the page has no example: ", status)
	}
	return html.UnescapeString(found[1])
}

// examplesOf are the code blocks of a page that are no samples of answers: those have a language.
func examplesOf(t *testing.T, text string) (out []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		if m[1] == "" {
			out = append(out, m[2])
		}
	}
	if len(out) < 6 {
		t.Fatalf("only %d examples", len(out))
	}
	return out
}
