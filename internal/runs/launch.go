package runs

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// LaunchInput is a launch form.
type LaunchInput struct {
	FederationID int64
	AppHash      string
	Name         string            // the Run ID
	Partitions   int               // the total; 0 takes the federation's
	Config       map[string]string // key to text; keys left out keep the app's default
	Settings     domain.RunSettings
	Limits       *domain.Limits // nil: the federation's; they are kept in the run's settings
	Note         string
	Tags         []string
	NotBefore    time.Time // zero: as soon as it can
	Override     string    // an admin's reason to launch although the board says no-go; kept only where it does
}

const (
	maxNote = 2000
	maxTags = 20
	maxTag  = 40

	maxReason = 500
	maxAhead  = 366 * 24 * time.Hour // how far ahead a run may be planned
)

// Launch puts a run into its federation's queue. The app version, the config and the settings are kept with it.
// On bad input it returns a [domain.Errors] with an error at each field, and nothing changes; a taken Run ID is a
// [domain.Conflict] at field "run_id". Where the board says no-go it is a [domain.Conflict] at field "override", unless an admin
// gives a reason. Where the server cannot contain apps, and the actor may not launch them for that, it is a [domain.Forbidden] error.
// Where it cannot keep what a run writes it is a [domain.Unavailable] error with the reason.
func (s *Service) Launch(ctx context.Context, actor domain.Actor, in LaunchInput) (domain.Run, error) {
	if s.MayLaunch != nil {
		if err := s.MayLaunch(ctx, actor); err != nil {
			return domain.Run{}, err
		}
	}
	if s.Writable != nil {
		if err := s.Writable(ctx); err != nil {
			return domain.Run{}, err
		}
	}
	in.Name, in.Note, in.Tags, in.Override = domain.Line(in.Name), domain.Text(in.Note), cleanTags(in.Tags), domain.Text(in.Override)
	verdict, checks, err := s.Board(ctx, in.FederationID)
	if err != nil {
		return domain.Run{}, err
	}
	if verdict != NoGo {
		in.Override = ""
	}
	var run domain.Run
	err = s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if run, err = s.prepare(ctx, tx, actor, in, overridden(actor, in, verdict, checks)); err != nil {
			return err
		}
		if err := tx.InsertRun(ctx, &run); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.reporter.Entry(actor, run, "run.queued",
			map[string]string{"app": run.AppID + " " + run.AppVersion, "app_hash": run.AppHash, "override": run.Override}))
	})
	if err != nil {
		return domain.Run{}, err
	}
	s.reporter.Publish(run, "state")
	s.Wake(run.FederationID)
	return run, nil
}

func (s *Service) prepare(ctx context.Context, tx Tx, actor domain.Actor, in LaunchInput, noGo error) (domain.Run, error) {
	fed, err := tx.FederationByID(ctx, in.FederationID)
	if err != nil {
		return domain.Run{}, err
	}
	var errs domain.Errors
	add := func(err error) { errs = errs.With(err) }
	if err := domain.CheckRunName(in.Name); err != nil {
		add(err)
	} else if other, err := tx.RunNamed(ctx, in.Name); err == nil {
		add(taken(other))
	} else if domain.CodeOf(err) != domain.NotFound {
		return domain.Run{}, err
	}
	if in.Partitions == 0 {
		in.Partitions = fed.TotalPartitions
	}
	add(s.checkPartitions(ctx, tx, fed, in.Partitions))
	if in.Limits != nil {
		in.Settings.Limits = *in.Limits
	} else {
		in.Settings.Limits = fed.Limits
	}
	add(s.checkWords(in))
	add(in.Settings.Check(s.MachineIndex))
	app, err := tx.AppVersionByHash(ctx, in.AppHash, false)
	var config map[string]any
	switch {
	case domain.CodeOf(err) == domain.NotFound:
		add(domain.Errorf(domain.Invalid, "There is no such app version.").Fix("Choose one of the listed apps.").At("app"))
	case err != nil:
		return domain.Run{}, err
	default:
		config, err = domain.ParseConfig(app.Config, in.Config)
		add(err)
	}
	add(noGo)
	if err := errs.OrNil(); err != nil {
		if len(errs) == 1 {
			return domain.Run{}, errs[0]
		}
		return domain.Run{}, err
	}
	return domain.Run{
		FederationID: fed.ID, Name: in.Name, State: domain.Queued, AppHash: app.Hash, AppID: app.ID(), AppVersion: app.Version,
		TotalPartitions: in.Partitions, Config: config, Settings: in.Settings, Note: in.Note, Tags: in.Tags,
		Rounds: plannedRounds(app, config), CreatedBy: actor.Name, CreatedAt: s.Clock().UTC(), NotBefore: in.NotBefore.UTC(), Override: in.Override,
	}, nil
}

func taken(other domain.Run) *domain.Error {
	return domain.Errorf(domain.Conflict, "The Run ID %q is taken by a run of %s.", other.Name, other.CreatedAt.UTC().Format("2 Jan 2006")).
		Fix("Choose another; names are never used twice.").At("run_id")
}

// checkPartitions holds a run to the total that the SuperNodes were started with: a SuperNode learns its total from its
// own node config, so any other number would split the data in a way that nobody asked for.
func (s *Service) checkPartitions(ctx context.Context, tx Tx, fed domain.Federation, total int) error {
	if err := domain.CheckTotal(total); err != nil {
		return err
	}
	if total == fed.TotalPartitions {
		return nil
	}
	held, err := tx.HeldPartitions(ctx, fed.ID)
	if err != nil {
		return err
	}
	if len(held) == 0 {
		return domain.Errorf(domain.Invalid, "%s has %d partitions, not %d.", fed.Name, fed.TotalPartitions, total).
			Fix("Change the federation's number of partitions first. No partition is assigned yet, so it takes effect at once.").At("partitions")
	}
	return domain.Errorf(domain.Invalid, "%s has %d partitions, and its %d participants split their data by that total, not by %d.", fed.Name, fed.TotalPartitions, len(held), total).
		Fix("Launch with %d, or change the federation's total and have the participants start their SuperNodes again.", fed.TotalPartitions).At("partitions")
}

// overridden is the error of a launch that the board is against, unless somebody who may gives a reason.
func overridden(actor domain.Actor, in LaunchInput, verdict Mark, checks []Check) error {
	if verdict != NoGo {
		return nil
	}
	may := actor.Admin || actor.Kind == domain.System.Kind
	switch reason := in.Override; {
	case reason != "" && may && len(reason) <= maxReason:
		return nil
	case reason != "" && may:
		return domain.Errorf(domain.Invalid, "The reason is longer than %d bytes.", maxReason).At("override")
	}
	for _, c := range checks {
		if c.Mark == NoGo {
			return domain.Errorf(domain.Conflict, "The board says no-go: %s is %s, and a launch needs it %s.", c.What, c.Found, c.Needed).
				Fix("%s An admin can launch anyway, with a reason.", c.Fix).At("override")
		}
	}
	return nil
}

func (s *Service) checkWords(in LaunchInput) error {
	if len(in.Note) > maxNote {
		return domain.Errorf(domain.Invalid, "The note is longer than %d bytes.", maxNote).At("note")
	}
	if len(in.Tags) > maxTags {
		return domain.Errorf(domain.Invalid, "A run has at most %d tags.", maxTags).At("tags")
	}
	for _, t := range in.Tags {
		if t == "" || len(t) > maxTag {
			return domain.Errorf(domain.Invalid, "A tag has 1 to %d bytes.", maxTag).At("tags")
		}
	}
	if !in.NotBefore.IsZero() {
		if ahead := in.NotBefore.Sub(s.Clock()); ahead < -time.Minute || ahead > maxAhead {
			return domain.Errorf(domain.Invalid, "A run can be planned for up to a year from now.").Fix("Leave the start empty to run as soon as it can.").At("not_before")
		}
	}
	return nil
}

var trailingNumber = regexp.MustCompile(`-(\d{1,6})$`)

// SuggestName returns a free Run ID for the next run of an app: its short name and the next number.
func (s *Service) SuggestName(ctx context.Context, fedID int64, appHash string) (string, error) {
	name := ""
	err := s.Store.View(ctx, func(tx Tx) error {
		app, err := tx.AppVersionByHash(ctx, appHash, false)
		if err != nil {
			return err
		}
		name, err = freeName(ctx, tx, fedID, shortName(app.Name))
		return err
	})
	return name, err
}

// freeName is a Run ID that nobody has: a base and the number after the highest that it has in the federation.
func freeName(ctx context.Context, tx Tx, fedID int64, base string) (string, error) {
	all, err := tx.Runs(ctx, domain.RunFilter{FederationID: fedID, Limit: 500})
	if err != nil {
		return "", err
	}
	n := 0
	for _, r := range all {
		if m := trailingNumber.FindStringSubmatch(r.Name); m != nil && strings.TrimSuffix(r.Name, m[0]) == base {
			if k, _ := strconv.Atoi(m[1]); k > n {
				n = k
			}
		}
	}
	for {
		n++
		name := fmt.Sprintf("%s-%d", base, n)
		if _, err := tx.RunNamed(ctx, name); domain.CodeOf(err) == domain.NotFound {
			return name, nil
		} else if err != nil {
			return "", err
		}
	}
}

// shortName makes the part of a Run ID that names its app: "quickstart_digits" becomes "digits".
func shortName(app string) string {
	s := strings.ToLower(app)
	for _, prefix := range []string{"quickstart_", "quickstart-"} {
		s = strings.TrimPrefix(s, prefix)
	}
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, s)
	if s = strings.Trim(s, "-"); s == "" {
		return "run"
	}
	return strings.Trim(s[:min(len(s), 40)], "-")
}
