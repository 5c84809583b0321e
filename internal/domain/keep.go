package domain

import "time"

// KeepRule is how long a federation keeps what ServerApps wrote. A run's files stay as long as either part says so; with neither
// they stay for good.
type KeepRule struct {
	Days int // after the run's end; 0: does not count
	Runs int // the last so many; 0: does not count
}

// Limits of a [KeepRule].
const (
	MaxKeepDays = 3650
	MaxKeepRuns = 10_000
)

// Check returns [Invalid] errors at the fields "keep_days" and "keep_runs".
func (k KeepRule) Check() error {
	var errs Errors
	if k.Days < 0 || k.Days > MaxKeepDays {
		errs = append(errs, Errorf(Invalid, "Files are kept for 0 to %d days.", MaxKeepDays).At("keep_days"))
	}
	if k.Runs < 0 || k.Runs > MaxKeepRuns {
		errs = append(errs, Errorf(Invalid, "Files of 0 to %d runs are kept.", MaxKeepRuns).At("keep_runs"))
	}
	return errs.OrNil()
}

// Swept is when a run's files went, and what they were.
type Swept struct {
	RunID int64
	At    time.Time
	Files int
	Bytes int64
}
