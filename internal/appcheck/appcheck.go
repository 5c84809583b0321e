// Package appcheck checks a Flower App before it is added to a server: it builds its FAB, reads its sources without executing them, and
// resolves its dependencies. It needs no server.
package appcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"blossomtune/internal/catalog"
	"blossomtune/internal/doctor"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/flower/python"
)

// Options say what is checked.
type Options struct {
	Env     python.Env // with the pinned flwr
	App     []byte     // a FAB, or a zip of an app's folder
	Offline bool       // do not resolve dependencies
}

// Report is the result of a check. JSON has the names of its fields.
type Report struct {
	App      string           `json:"app,omitempty"` // publisher/name
	Version  string           `json:"version,omitempty"`
	Hash     string           `json:"hash,omitempty"` // SHA-256 of the FAB
	Flwr     string           `json:"flwr"`           // the version that the app was checked against
	Findings []doctor.Finding `json:"findings"`
}

// Parts of an app that are checked, in this order.
const (
	partBuild        = "build"
	partComponents   = "components"
	partImports      = "imports"
	partDependencies = "dependencies"
	partConfig       = "run config"
)

// Check checks an app. What is wrong with the app is in the report; an error means that the check itself failed.
func Check(ctx context.Context, o Options) (*Report, error) {
	r := &Report{Flwr: o.Env.FlwrVersion}
	a, err := catalog.Examine(ctx, o.Env.BuildFAB, o.App)
	if err != nil {
		if e, ok := errors.AsType[*domain.Error](err); !ok || e.Code != domain.Invalid && e.Code != domain.TooLarge {
			return nil, err
		}
		f := doctor.Failed(partBuild, err)
		f.Remedy = cmp.Or(f.Remedy, "Correct it, and check the app again.")
		r.Findings = append(r.Findings, f)
		return r, nil
	}
	r.App, r.Version, r.Hash = a.ID(), a.Version, a.Hash
	r.Findings = append(r.Findings, doctor.Good(partBuild, "The FAB has %d kB.", (len(a.FAB)+999)/1000))
	tmp, err := os.MkdirTemp("", "blossomtune-check-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	pool, err := apphost.New(apphost.Options{Base: o.Env, Dir: filepath.Join(tmp, "apps"), Install: true, MaxTemplates: -1,
		Home: filepath.Join(tmp, "home")})
	if err != nil {
		return nil, err
	}
	defer pool.Close(0)
	s, err := readSources(ctx, pool, filepath.Join(tmp, "check"), a.FAB)
	if err != nil {
		return nil, err
	}
	p := resolve(ctx, pool, o, a.FAB, s)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	r.Findings = append(r.Findings, componentFindings(s.Facts)...)
	r.Findings = append(r.Findings, importFindings(s.Facts, p, r.Flwr)...)
	r.Findings = append(r.Findings, p.findings...)
	r.Findings = append(r.Findings, configFindings(s, a.Config)...)
	return r, nil
}

// packages are those that an app's dependencies bring.
type packages struct {
	known    bool     // they were resolved
	names    []string // of those that the pinned environment lacks
	findings []doctor.Finding
}

// resolve finds the packages that an app needs, from the package index that this machine is configured to use.
func resolve(ctx context.Context, pool *apphost.Pool, o Options, fab []byte, s sources) packages {
	if o.Offline {
		return packages{known: len(s.Lacking) == 0, findings: []doctor.Finding{doctor.Skip(partDependencies, "Not checked: --offline.")}}
	}
	all, err := pool.Resolve(ctx, fab)
	if failed, ok := errors.AsType[*apphost.BuildError](err); ok {
		return packages{findings: []doctor.Finding{doctor.Bad(partDependencies, failed.Remedy, "%s", failed.Cause)}}
	}
	if err != nil {
		return packages{findings: []doctor.Finding{doctor.Failed(partDependencies, err)}}
	}
	return resolved(all)
}
