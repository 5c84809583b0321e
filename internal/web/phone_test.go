package web_test

import (
	"regexp"
	"testing"

	"blossomtune/internal/testbrowser"
)

var joinSecret = regexp.MustCompile(`BLOSSOMTUNE_JOIN_TOKEN=\S+\.[0-9a-f]{48} "\$d/blossomtune" join`)

// Without a script the join command is there to be read and copied.
func TestTheJoinCommandWithoutAScript(t *testing.T) {
	s := newSite(t)
	d := testbrowser.New(t)
	base := "http://" + s.Server.Addr().String()
	for _, who := range []string{"scriptless", "participant"} {
		d.Do(who, "cookie", base, s.Cookies["participant"])
		d.Do(who, "open", base+"/me/fed", "")
		d.Do(who, "click", `form[action="/me/fed/token"] button`, "")
		d.Do(who, "wait", ".b-copy", "")
	}
	if text := d.Do("scriptless", "read", ".b-copy noscript", ""); !joinSecret.MatchString(text) {
		t.Errorf("without a script the command is %q", text)
	}
	if text := d.Do("scriptless", "overlaps", ".b-copy", ""); text != "" {
		t.Errorf("words overlap: %s", text)
	}
	d.Do("scriptless", "wait", ".b-copy > code[data-secret]", "")
	if text := d.Do("participant", "read", "#join-command-linux", ""); joinSecret.MatchString(text) {
		t.Errorf("with a script the secret is not masked: %q", text)
	}
}

// On a phone no words lie on others, and what stays in sight is the page's main action, never one that ends something.
func TestPagesOnAPhone(t *testing.T) {
	s := newSite(t)
	s.askers(20)
	s.Server.Manager.Start(s.Fed.ID)
	d := testbrowser.New(t)
	for _, theme := range []string{"light", "dark"} {
		for _, c := range []struct{ kind, path, stuck string }{
			{"stranger", "/", ""}, {"stranger", "/help", ""}, {"stranger", "/api", ""}, {"asker", "/me/fed", ""}, {"participant", "/me/fed", "Make my command"}, {"manager", "/f/fed", "Launch run"},
			{"manager", "/f/fed/requests", ""}, {"manager", "/f/fed/launch", ""}, {"manager", "/f/fed/runs/r-1", ""}, {"manager", "/", "Review 21 requests"}, {"admin", "/f/fed/settings", ""},
		} {
			s.browse(d, c.kind, c.path)
			d.Do(c.kind, "size", "", "390 844 "+theme)
			if text := d.Do(c.kind, "overlaps", "main", ""); text != "" {
				t.Errorf("%s as %s, %s: words lie on words:\n%s", c.path, c.kind, theme, text)
			}
			stuck := d.Do(c.kind, "stuck", "", "")
			if c.stuck != "" && stuck != c.stuck || regexp.MustCompile(`(?i)withdraw|stop|revoke|new command`).MatchString(stuck) {
				t.Errorf("%s as %s: %q stays in sight, want %q", c.path, c.kind, stuck, c.stuck)
			}
		}
	}
}
