package runs

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/pyerror"
)

// evidenceLines is how much of the log's end is searched for what went wrong.
const evidenceLines = 600

// cause says why a run failed, from the exit code, the SuperLink's words, what its participants replied and the ServerApp's last output.
func (s *Service) cause(ctx context.Context, run domain.Run, e EngineRun, t Task) domain.Cause {
	c := domain.Cause{Code: "serverapp", ExitCode: t.ExitCode, Where: "ServerApp"}
	if !t.Ended {
		c.ExitCode = -1
	}
	lines, _, err := s.logOf(run).Tail(evidenceLines)
	if err != nil {
		s.Logger.Error("reading a failed run's log", "run", run.Name, "err", err)
	}
	if n := flowerExit(lines); n != 0 && t.Ended && !t.endedByUs() && (t.Signal == "" || !t.ToldAt.IsZero()) {
		// flwr 1.42 writes its own number and ends the process with 1; a signal that came after that is not the cause.
		c.ExitCode, t.ExitCode, t.Signal, t.Killed = n, n, "", ""
	}
	ex := lastException(lines)
	c.Line, c.LogLine = cutText(ex.text), ex.logLine
	c.File, c.FileLine = ex.source()
	byProcess, certain := s.byProcess(ctx, run, e, t)
	switch {
	case certain:
		c.Code, c.Where, c.Message, c.Remedy = byProcess.Code, byProcess.Where, byProcess.Message, byProcess.Remedy
	case ex.text != "":
		c = s.byException(ctx, run, c, ex)
	case t.Ended && t.ExitCode != 0:
		c.Code, c.Message, c.Remedy = s.byExitCode(ctx, run, t)
	case e.Details != "":
		c.Message, c.Remedy = "The SuperLink says: "+firstLine(e.Details), "Read the log's end; then launch the run again."
	default:
		c.Message, c.Remedy = "The run ended without saying why.", "Read the log's end and the SuperLink's log."
	}
	if !certain {
		c = s.refine(ctx, run, c, lines, ex, t)
	}
	if c.LogLine == 0 && len(lines) > 0 {
		c.LogLine = lines[len(lines)-1].N
	}
	if c.ExitCode > 0 && c.Code != byParticipants && !strings.Contains(c.Message, "exit code") {
		c.Message = strings.TrimSuffix(c.Message, ".") + fmt.Sprintf(" (exit code %d).", c.ExitCode)
	}
	return c
}

// byException has the words for a ServerApp that raised an exception.
func (s *Service) byException(ctx context.Context, run domain.Run, c domain.Cause, ex exception) domain.Cause {
	if part := ex.flowerPart(); part != "" {
		c.Code = "flower_version"
		c.Message, c.Remedy = s.otherFlower(ctx, run, part, ex.place())
		return c
	}
	if c.Code, c.Message, c.Remedy = explain(ex); pyerror.MissingModule(ex.Exception) != "" {
		c.Mend = pyproject
	}
	return c
}

// refine puts more exact words in the place of an exception's where the log, the replies or the packages have them.
func (s *Service) refine(ctx context.Context, run domain.Run, c domain.Cause, lines []logfile.Line, ex exception, t Task) domain.Cause {
	if t.ExitCode == exitDependencies {
		return uninstalledCause(c, run.AppID, lines)
	}
	if by, all, ok := s.byReplies(ctx, run, lines); ok && (all || !ex.ownFault()) {
		by.ExitCode, by.Line = c.ExitCode, c.Line
		if by.LogLine == 0 {
			by.LogLine = c.LogLine
		}
		if ex.Kind != "" {
			by.Remedy += fmt.Sprintf(" The %s that the ServerApp raised afterwards is a consequence.", ex.Kind)
		}
		return by
	}
	if clash, ok := clashIn(lines, ex); ok {
		c.Where, c.Message, c.Remedy = s.misfit(ctx, run, lines, clash, t.Shapes)
		c.LogLine = max(c.LogLine, clash.line)
	} else if message, remedy, ok := s.known(ctx, run, lines, ex); ok {
		if c.Message, c.Remedy = message, remedy; strings.Contains(message, "the run config lacks it") {
			c.Mend = pyproject
		}
	}
	return c
}

const pyproject = "pyproject.toml"

// exitDependencies is Flower's number for packages that could not be installed.
const exitDependencies = 608

// uninstalledCause puts uv's own words in the place of the exception's, which begins with the directories that it worked in.
func uninstalledCause(c domain.Cause, appID string, lines []logfile.Line) domain.Cause {
	c.Code = "608"
	c.Message, c.Remedy = "Installing the app's packages failed.", "Read the log for the package that failed, fix pyproject.toml and add the new version."
	_, name, _ := strings.Cut(appID, "/")
	all := uncoloured(lines)
	for i, l := range all {
		if said, ok := strings.CutPrefix(l, installFailed); ok {
			c.Message, c.Line, c.LogLine = "Installing the app's packages failed: "+cutText(said), cutText(l), lines[i].N
		}
		// uv names the project when it resolves for an environment, which the launcher lets it do.
		all[i] = strings.ReplaceAll(l, " "+name+" depends on ", " your project depends on ")
	}
	if message, remedy, at := uninstalled(all); at >= 0 {
		c.Mend = pyproject
		c.Message, c.Remedy, c.Line, c.LogLine = message, remedy, cutText(strings.TrimSpace(all[at])), lines[at].N
	}
	return c
}

var flowerExitPattern = regexp.MustCompile(`Exit Code: (\d{1,4})\s*$`)

// flowerExit returns the last numbered exit that Flower wrote into a log; 0 if there is none.
func flowerExit(lines []logfile.Line) int {
	for i := len(lines) - 1; i >= 0; i-- {
		if m := flowerExitPattern.FindStringSubmatch(lines[i].Text); m != nil {
			n, _ := strconv.Atoi(m[1]) // the pattern gives at most four digits
			return n
		}
	}
	return 0
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return cutText(s)
}

// cutText bounds what a card shows of a line.
func cutText(s string) string {
	return domain.Cut(s, 500)
}

// byExitCode has the words for Flower's numbered exit codes (flower-facts: 200 precondition, 201 ServerApp exception,
// 202 aggregation, 250 ClientApp communication, 302 bad node key, 305 connection, 606 version, 607 app import, 608 dependencies).
func (s *Service) byExitCode(ctx context.Context, run domain.Run, t Task) (code, message, remedy string) {
	code = fmt.Sprint(t.ExitCode)
	switch t.ExitCode {
	case 200:
		return code, "Replies of the participants do not fit what the strategy needs.", "Check that train and evaluate return the weight key (num-examples) and the same metrics everywhere."
	case 201:
		return code, "The ServerApp raised an exception.", "Read the lines at the log's end, fix the app and add the new version."
	case 202:
		return code, "Aggregating the replies failed.", "Compare the app versions and model shapes that the participants use."
	case 305:
		return code, "The ServerApp lost its connection to the SuperLink.", "Look at the SuperLink's log; then launch the run again."
	case 606:
		return code, "The app does not fit the installed Flower version.", "Look at the app's flwr version requirement."
	case 607:
		return code, "The app cannot be imported.", "Check the component names in pyproject.toml and the app's dependencies."
	}
	early := "Something ends the process while the app is being loaded: look for os._exit, sys.exit or a crash at import."
	if !t.Alive {
		return "early_exit", fmt.Sprintf("The ServerApp ended before its first heartbeat, with exit code %d.", t.ExitCode), early
	}
	asked, err := look(ctx, s, run, func(tx Tx) (bool, error) { return tx.AnyExchange(ctx, run.FederationID, run.EngineRunID) })
	if err == nil && !asked {
		return "early_exit", fmt.Sprintf("The ServerApp ended before it asked any SuperNode, with exit code %d.", t.ExitCode), early
	}
	return "exit", fmt.Sprintf("The ServerApp ended with exit code %d.", t.ExitCode), "Read the lines at the log's end."
}
