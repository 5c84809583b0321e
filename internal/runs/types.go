package runs

import "blossomtune/internal/runs/diagnose"

// What a [Service] returns, by the names that the surfaces use: they know this package alone, not the ones below it.
type (
	Wait       = diagnose.Wait
	AppFailure = diagnose.AppFailure
)
