// Package fedpage is what the pages of one federation have in common: their head and tabs, and how its SuperNodes are now. A page itself
// belongs to its area.
package fedpage

import (
	"blossomtune/internal/engines"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/runs"
)

// Reader reads what the head of a federation's pages shows.
type Reader struct {
	Onboarding *onboarding.Service
	Engines    *engines.Service
	Runs       *runs.Service
}
