package runs

import (
	"blossomtune/internal/runs/artifacts"
	"blossomtune/internal/runs/diagnose"
	"blossomtune/internal/runs/watch"
)

// Wait and the other types are what a [Service] returns. The surfaces use them by these names: they import this package, not the ones
// below it.
type (
	Wait       = diagnose.Wait
	AppFailure = diagnose.AppFailure
	Artifact   = artifacts.Artifact
	Curves     = watch.Curves
	Pace       = watch.Pace
	Trend      = watch.Trend
	TrendPoint = watch.TrendPoint
	LogNews    = watch.LogNews
)

// Limits of what one call returns.
const (
	MaxArtifacts = artifacts.MaxArtifacts // files
	MaxLogLines  = watch.MaxLogLines
)
