package domain

import "time"

const (
	// RunKeptDays is how many days a deleted run can be restored.
	RunKeptDays = 7
	// MaxRunsDeleted is how many runs are deleted or restored at once.
	MaxRunsDeleted = 500
	// MaxRunAge is the most days that a rule for deleting runs can name.
	MaxRunAge = 3650
)

// RunDeletion chooses ended runs of a federation to delete: by their names, or else by a rule, of which every part that is set must hold.
type RunDeletion struct {
	FederationID int64
	Names        []string
	States       []RunState // end states
	Tag          string
	Days         int // ended at least so many days ago
}

// Check returns an [Invalid] error where nothing, or more than is allowed, is chosen.
func (d RunDeletion) Check() error {
	switch {
	case len(d.Names) > MaxRunsDeleted:
		return Errorf(Invalid, "At most %d runs can be deleted at once.", MaxRunsDeleted).At("runs")
	case len(d.Names) > 0 && (len(d.States) > 0 || d.Tag != "" || d.Days != 0):
		return Errorf(Invalid, "Runs are deleted by name or by rule, not both.").Fix("Leave one of them out.").At("runs")
	case len(d.Names) == 0 && len(d.States) == 0 && d.Tag == "" && d.Days == 0:
		return Errorf(Invalid, "No run is selected.").Fix("Name runs, or set an age, a state or a tag.").At("runs")
	case d.Days < 0 || d.Days > MaxRunAge:
		return Errorf(Invalid, "The age is 0 to %d days.", MaxRunAge).At("older_than_days")
	}
	for _, s := range d.States {
		if !s.Ended() {
			return Errorf(Invalid, "A %s run cannot be deleted.", s).Fix("Choose completed, failed or stopped.").At("state")
		}
	}
	return nil
}

// RestorableUntil is until when a deleted run can be restored.
func (r Run) RestorableUntil() time.Time { return r.DeletedAt.AddDate(0, 0, RunKeptDays) }
