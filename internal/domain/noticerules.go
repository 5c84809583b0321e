package domain

import "time"

// NoticeRules are the delays before managers are notified of a condition in a federation; 0 is never.
type NoticeRules struct {
	Offline     time.Duration // SuperNodes that are offline
	Unconnected time.Duration // people who were approved and have never connected
	Waiting     time.Duration // requests to join
	Remind      bool          // people who were approved and have not connected by then are reminded by mail, once
}

// DefaultNoticeRules are those of a federation whose managers have set nothing else.
var DefaultNoticeRules = NoticeRules{Offline: 30 * time.Minute, Unconnected: 3 * 24 * time.Hour, Waiting: 2 * 24 * time.Hour, Remind: true}

// Bounds of [NoticeRules].
const (
	MinNoticeAfter = 5 * time.Minute
	MaxNoticeAfter = 90 * 24 * time.Hour
)

// Check returns an [Errors] with an [Invalid] error at the field of each rule that is out of bounds.
func (r NoticeRules) Check() error {
	var errs Errors
	for _, v := range []NamedLimit{{"offline", r.Offline}, {"unconnected", r.Unconnected}, {"waiting", r.Waiting}} {
		if v.Limit != 0 && (v.Limit < MinNoticeAfter || v.Limit > MaxNoticeAfter) {
			errs = append(errs, Errorf(Invalid, "This is not from %d minutes to %d days.", int(MinNoticeAfter.Minutes()),
				int(MaxNoticeAfter.Hours()/24)).Fix("Correct it, or enter 0 to turn it off.").At(v.Field))
		}
	}
	return errs.OrNil()
}

// Lasting is a SuperNode or a person in a condition that lasts.
type Lasting struct {
	ID        int64 // of the key, or of the request
	RequestID int64
	PersonID  int64
	Partition int // -1: none
	Name      string
	Since     time.Time
}
