package domain

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRunSettingsAreChecked(t *testing.T) {
	for _, c := range []struct {
		name  string
		s     RunSettings
		field string // "": it is fine
	}{
		{"nothing", RunSettings{}, ""},
		{"all of it", RunSettings{PackageIndex: "https://packages.example.org/simple", Environment: map[string]string{"API_KEY": "x", "hf_home": "/data"}, CPUs: 2, MemoryMB: 4000, LogLevel: "DEBUG", Limits: DefaultLimits}, ""},
		{"the machine's own index", RunSettings{PackageIndex: "http://mirror.local/simple"}, ""},
		{"plain http", RunSettings{PackageIndex: "http://packages.example.org/simple"}, "package_index"},
		{"a password in the index", RunSettings{PackageIndex: "https://u:p@packages.example.org/"}, "package_index"},
		{"no address", RunSettings{PackageIndex: "packages"}, "package_index"},
		{"PATH", RunSettings{Environment: map[string]string{"PATH": "/tmp"}}, "environment"},
		{"Path", RunSettings{Environment: map[string]string{"Path": "/tmp"}}, "environment"},
		{"the loader", RunSettings{Environment: map[string]string{"LD_PRELOAD": "/tmp/x.so"}}, "environment"},
		{"Python", RunSettings{Environment: map[string]string{"PYTHONPATH": "/tmp"}}, "environment"},
		{"Flower", RunSettings{Environment: map[string]string{"FLWR_HOME": "/tmp"}}, "environment"},
		{"a proxy", RunSettings{Environment: map[string]string{"https_proxy": "x"}}, "environment"},
		{"no name", RunSettings{Environment: map[string]string{"A B": "x"}}, "environment"},
		{"two lines", RunSettings{Environment: map[string]string{"A": "x\ny"}}, "environment"},
		{"too much", RunSettings{Environment: map[string]string{"A": strings.Repeat("x", 40<<10)}}, "environment"},
		{"a level", RunSettings{LogLevel: "LOUD"}, "log_level"},
		{"cores", RunSettings{CPUs: -1}, "cpus"},
		{"too little memory", RunSettings{MemoryMB: 1}, "memory_mb"},
		{"a negative limit", RunSettings{Limits: Limits{Wall: -time.Hour}}, "wall_limit"},
		{"a long limit", RunSettings{Limits: Limits{NoProgress: 365 * 24 * time.Hour}}, "no_progress_limit"},
	} {
		err := c.s.Check("http://mirror.local/simple")
		var one *Error
		if errors.As(err, &one); (err == nil) != (c.field == "") || err != nil && (one.Field != c.field || one.Code != Invalid) {
			t.Errorf("%s: %v, want a refusal at %q", c.name, err, c.field)
		}
	}
}

// What may be a secret is neither in an error nor in what is shown.
func TestEnvironmentValuesAreNotTold(t *testing.T) {
	s := RunSettings{Environment: map[string]string{"A": "hunter2\n"}}
	if err := s.Check(""); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error is %v", err)
	}
	if shown := s.Masked(); shown.Environment["A"] != Mask || s.Environment["A"] != "hunter2\n" {
		t.Errorf("shown as %v, kept as %v", shown.Environment, s.Environment)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{10 * time.Minute: "10 min", 90 * time.Minute: "1 h 30 min", 45 * time.Second: "45 s", 48 * time.Hour: "48 h", 0: "0 s"} {
		if got := Span(d); got != want {
			t.Errorf("%s is told as %q, want %q", d, got, want)
		}
	}
}
