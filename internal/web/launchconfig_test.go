package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// The open tab is what counts: with TOML open its text is the run config, whatever the fields hold.
func TestARunIsLaunchedWithTheOpenTab(t *testing.T) {
	s := newSite(t)
	hash := s.Tiny()
	page := s.Get("manager", "/f/fed/launch?app="+hash)
	for _, want := range []string{`data-default="one&#xA;two"`, "Changed only", "model.size = 8", "quick (the app&#39;s)", "0 of 6 changed"} {
		if !strings.Contains(page.Body, want) && !strings.Contains(page.Body, strings.ReplaceAll(want, "&#xA;", "\n")) {
			t.Errorf("the form lacks %s", want)
		}
	}
	launch := func(name string, more ...string) answer {
		return s.Post("manager", "/f/fed/launch", append([]string{"app", hash, "run_id", name, "partitions", "10", "config.lr", "0.25",
			"config.prompt", "one\r\ntwo", "toml", "lr = 1\nmodel.size = 9\nprompt = \"x\"\n"}, more...)...)
	}
	// No SuperLink is up, so the board keeps the run back and the form comes back with what would have been launched.
	if a := launch("as-form", "config_as", "changed"); a.Status != http.StatusConflict || !strings.Contains(a.Body, "1 of 6 changed") ||
		!strings.Contains(a.Body, "lr = 0.25 # default 0.5") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := launch("as-toml", "config_as", "toml"); a.Status != http.StatusConflict || !strings.Contains(a.Body, "3 of 6 changed") ||
		!strings.Contains(a.Body, `name="config.model.size" value="9"`) {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	a := s.Post("manager", "/f/fed/launch", "app", hash, "run_id", "bad", "partitions", "10", "note", "kept", "config_as", "toml", "toml",
		"lr = 1\n\nmode = \"slow\" # mine\n")
	for _, want := range []string{"Line 3: mode is one of fast, good, not slow.", "# mine", `value="kept"`, `value="toml" checked`} {
		if a.Status != http.StatusUnprocessableEntity || !strings.Contains(a.Body, want) {
			t.Errorf("%d: the form comes back without %s", a.Status, want)
		}
	}
}

func TestFormAndTOMLStayInStep(t *testing.T) {
	s := newSite(t)
	hash := s.Tiny()
	step := func(fields ...string) (got struct {
		TOML   string
		Values map[string]string
		Errors []struct {
			Line    int
			Message string
		}
	}) {
		t.Helper()
		a := s.Post("manager", "/f/fed/launch/config.json", append([]string{"app", hash}, fields...)...)
		if a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if err := json.Unmarshal([]byte(a.Body), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	one := step("config_as", "form", "config.lr", "0.125", "config.mode", "good", "config.num-server-rounds", "many")
	if !strings.Contains(one.TOML, "lr = 0.125 # default 0.5\n") || !strings.Contains(one.TOML, `num-server-rounds = "many"`) {
		t.Errorf("%s", one.TOML)
	}
	if len(one.Errors) != 1 || one.Errors[0].Line != 1 {
		t.Errorf("what is wrong in a field is told at its line: %+v", one.Errors)
	}
	two := step("config_as", "toml", "toml", one.TOML)
	if len(two.Errors) != 1 || two.Errors[0].Line != 1 || !strings.Contains(two.Errors[0].Message, "num-server-rounds is a number") {
		t.Errorf("%+v", two)
	}
	three := step("config_as", "toml", "toml", strings.Replace(one.TOML, `"many"`, "7", 1))
	if three.Values["num-server-rounds"] != "7" || three.Values["lr"] != "0.125" || three.Values["flag"] != "true" || three.Values["prompt"] != "one\ntwo" || len(three.Errors) != 0 {
		t.Errorf("%+v", three)
	}
}

func TestPresetsAreKeptForAnApp(t *testing.T) {
	s := newSite(t)
	hash := s.Tiny()
	save := func(fields ...string) answer {
		return s.Post("manager", "/f/fed/launch/presets.json", append([]string{"app", hash}, fields...)...)
	}
	if a := save("preset", "slow and good", "config.lr", "0.01", "config.mode", "good", "config.flag", "true"); a.Status != http.StatusOK ||
		!strings.Contains(a.Body, `"config":{"lr":"0.01","mode":"good"}`) {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	for what, a := range map[string]answer{"a bad value": save("preset", "x", "config.lr", "7"), "no name": save("preset", " "), "the app's own": save("preset", "quick"), "bad TOML": save("preset", "x", "config_as", "toml", "toml", "= 1")} {
		if a.Status != http.StatusUnprocessableEntity && a.Status != http.StatusConflict {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	if a := s.Get("manager", "/f/fed/launch?app="+hash+"&preset=slow+and+good"); !strings.Contains(a.Body, "lr = 0.01 # default 0.5") ||
		!strings.Contains(a.Body, "2 of 6 changed") {
		t.Errorf("a saved preset is not taken: %d", a.Status)
	}
	if a := s.Get("manager", "/f/fed/launch?app="+hash+"&preset=quick"); !strings.Contains(a.Body, "num-server-rounds = 1 # default 3") {
		t.Errorf("the app's preset is not taken: %d", a.Status)
	}
	for _, want := range []int{http.StatusOK, http.StatusNotFound} {
		if a := s.Post("manager", "/f/fed/launch/presets/drop.json", "app", hash, "preset", "slow and good"); a.Status != want {
			t.Errorf("%d, not %d", a.Status, want)
		}
	}
	var audit []domain.AuditEntry
	err := s.Server.DB.View(t.Context(), func(tx *store.Tx) (err error) {
		audit, err = tx.AuditEntries(t.Context(), domain.AuditFilter{ObjectKind: "app", ObjectID: "someone/tiny"})
		return err
	})
	if err != nil || len(audit) != 2 || audit[1].Action != "preset.saved" || audit[0].Action != "preset.deleted" || audit[1].Actor.Name != "manager" {
		t.Errorf("%+v %v", audit, err)
	}
}
