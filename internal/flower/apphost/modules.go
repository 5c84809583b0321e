package apphost

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"path/filepath"
	"runtime"
	"time"
)

const scanName = "scan.py"

//go:embed scan.py
var scanProgram []byte

// module is one import of an app's sources: a module and the names that are imported from it. In JSON it is a pair.
type module struct {
	name  string
	names []string
}

func (m module) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{m.name, append([]string{}, m.names...)})
}

func (m *module) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&m.name, &m.names})
}

type moduleKey struct {
	fab [sha256.Size]byte
	env string
}

// Limits of the scan of an app's imports.
const (
	scanLimit  = 20 * time.Second
	maxModules = 64 << 10 // bytes of its answer
)

// modulesOf returns the third-party modules that an app imports, for its template; none when they cannot be found out.
func (p *Pool) modulesOf(ctx context.Context, e *environment, app summary, fab []byte) []module {
	if p.o.NoPreload || p.o.MaxTemplates < 0 || runtime.GOOS != "linux" {
		return nil
	}
	key := moduleKey{app.hash, e.env.Dir}
	p.mu.Lock()
	found, ok := p.modules[key]
	p.mu.Unlock()
	if ok {
		return found
	}
	found, err := p.scan(ctx, e, fab)
	if err != nil && ctx.Err() != nil {
		return nil // of the caller's own, so not remembered
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.modules) >= maxApps {
		clear(p.modules)
	}
	p.modules[key] = found
	return found
}

func (p *Pool) scan(ctx context.Context, e *environment, fab []byte) ([]module, error) {
	ctx, cancel := context.WithTimeout(ctx, scanLimit)
	defer cancel()
	text, err := p.host(ctx, e, nil, []string{filepath.Join(p.o.programs(), scanName)}, fab, maxModules)
	if err != nil {
		return nil, err
	}
	var found []module
	return found, json.Unmarshal(text, &found)
}
