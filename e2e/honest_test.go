package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

// An honest app runs contained as it does elsewhere, on the server and at a participant's: pools of processes of each kind, joblib
// with its files in memory, shared memory, caches, and packages that uv installs for it. The second run starts from warm processes.
func TestPools(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	s.approved("H").join("--deps", "allow")
	hash := s.app("pools")
	for _, name := range []string{"first", "second"} {
		s.launchWith(hash, name, nil, map[string]any{"install_dependencies": true})
		r := s.becomes(name, "completed", 3*time.Minute)
		text, err := os.ReadFile(s.logFile(r))
		for _, who := range []string{"SERVERAPP", "CLIENTAPP"} {
			if err != nil || !strings.Contains(string(text), who+" worked with fork, spawn, forkserver, joblib") {
				t.Errorf("%s, the %s: %v\n%s", name, who, err, text)
			}
		}
		if _, page := s.page(s.signIn(), "/f/fed/runs/"+name); !strings.Contains(page, "This app could read its Python environment, system libraries and its own folders") {
			t.Errorf("%s did not run contained", name)
		}
	}
}
