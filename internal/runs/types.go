package runs

import (
	"blossomtune/internal/runs/artifacts"
	"blossomtune/internal/runs/diagnose"
	"blossomtune/internal/runs/watch"
)

// The surfaces use what a [Service] returns by these names: they import this package, not the ones below it.

// Wait is [diagnose.Wait].
type Wait = diagnose.Wait

// AppFailure is [diagnose.AppFailure].
type AppFailure = diagnose.AppFailure

// Artifact is [artifacts.Artifact].
type Artifact = artifacts.Artifact

// Curves is [watch.Curves].
type Curves = watch.Curves

// Pace is [watch.Pace].
type Pace = watch.Pace

// Trend is [watch.Trend].
type Trend = watch.Trend

// TrendPoint is [watch.TrendPoint].
type TrendPoint = watch.TrendPoint

// LogNews is [watch.LogNews].
type LogNews = watch.LogNews

// Limits of what one call returns.
const (
	MaxArtifacts = artifacts.MaxArtifacts // files
	MaxLogLines  = watch.MaxLogLines
)
