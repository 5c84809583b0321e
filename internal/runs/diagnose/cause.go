package diagnose

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/pyerror"
	"blossomtune/internal/runs/applog"
)

// Cause returns why a run failed, from the exit code, the SuperLink's words, what its participants replied and the ServerApp's last output.
func (f Facts) Cause() domain.Cause {
	c := domain.Cause{Code: domain.CauseServerApp, ExitCode: f.Task.ExitCode, Where: "ServerApp"}
	if !f.Task.Ended {
		c.ExitCode = -1
	}
	if n := flowerExit(f.Log); n != 0 && f.Task.Ended && !f.Task.EndedHere() && (f.Task.Signal == "" || !f.Task.ToldAt.IsZero()) {
		// flwr 1.42 writes its own number and ends the process with 1; a signal that came after that is not the cause.
		c.ExitCode, f.Task.ExitCode, f.Task.Signal, f.Task.Killed = n, n, "", ""
	}
	ex := lastException(f.Log)
	c.Line, c.LogLine = cutText(ex.text), ex.logLine
	c.File, c.FileLine = ex.source()
	if by, certain := f.byProcess(); certain {
		c.Code, c.Where, c.Message, c.Remedy = by.Code, by.Where, by.Message, by.Remedy
	} else {
		c = f.refine(f.uncertain(c, ex), ex)
	}
	if c.LogLine == 0 && len(f.Log) > 0 {
		c.LogLine = f.Log[len(f.Log)-1].N
	}
	if c.ExitCode > 0 && c.Code != domain.CauseParticipants && !strings.Contains(c.Message, "exit code") {
		c.Message = strings.TrimSuffix(c.Message, ".") + fmt.Sprintf(" (exit code %d).", c.ExitCode)
	}
	return c
}

// uncertain has the first words for a ServerApp whose process ended in no certain way.
func (f Facts) uncertain(c domain.Cause, ex exception) domain.Cause {
	switch {
	case ex.text != "":
		return f.byException(c, ex)
	case f.Task.Ended && f.Task.ExitCode != 0:
		c.Code, c.Message, c.Remedy = f.byExitCode()
	case f.Engine.Details != "":
		c.Message, c.Remedy = "The SuperLink says: "+firstLine(f.Engine.Details), "Read the log's end; then launch the run again."
	default:
		c.Message, c.Remedy = "The run ended without saying why.", "Read the log's end and the SuperLink's log."
	}
	return c
}

// byException has the words for a ServerApp that raised an exception.
func (f Facts) byException(c domain.Cause, ex exception) domain.Cause {
	if part := ex.flowerPart(); part != "" {
		c.Code = domain.CauseOtherFlower
		c.Message, c.Remedy = f.otherFlower(part, ex.place())
		return c
	}
	if c.Code, c.Message, c.Remedy = explain(ex); pyerror.MissingModule(ex.Exception) != "" {
		c.Mend = pyproject
	}
	return c
}

// refine puts more exact words in the place of an exception's where the log, the replies or the packages have them.
func (f Facts) refine(c domain.Cause, ex exception) domain.Cause {
	if f.Task.ExitCode == exitDependencies {
		return uninstalledCause(c, f.Run.AppID, f.Log)
	}
	if by, all, ok := f.byReplies(); ok && (all || !ex.ownFault()) {
		by.ExitCode, by.Line = c.ExitCode, c.Line
		if by.LogLine == 0 {
			by.LogLine = c.LogLine
		}
		if ex.Kind != "" {
			by.Remedy += fmt.Sprintf(" The %s that the ServerApp raised afterwards is a consequence.", ex.Kind)
		}
		return by
	}
	if clash, ok := clashIn(f.Log, ex); ok {
		c.Where, c.Message, c.Remedy = f.misfit(clash)
		c.LogLine = max(c.LogLine, clash.line)
	} else if message, remedy, ok := f.known(ex); ok {
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
	c.Code = domain.CauseDependencies
	c.Message, c.Remedy = "Installing the app's packages failed.",
		"Read the log for the package that failed, fix pyproject.toml and add the new version."
	_, name, _ := strings.Cut(appID, "/")
	all := uncoloured(lines)
	for i, l := range all {
		if said, ok := strings.CutPrefix(l, applog.InstallFailed); ok {
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

var numbered = map[int]struct{ message, remedy string }{
	200: {"Replies of the participants do not fit what the strategy needs.",
		"Check that train and evaluate return the weight key (num-examples) and the same metrics everywhere."},
	201: {"The ServerApp raised an exception.", "Read the lines at the log's end, fix the app and add the new version."},
	202: {"Aggregating the replies failed.", "Compare the app versions and model shapes that the participants use."},
	305: {"The ServerApp lost its connection to the SuperLink.", "Look at the SuperLink's log; then launch the run again."},
	606: {"The app does not fit the installed Flower version.", "Look at the app's flwr version requirement."},
	607: {"The app cannot be imported.", "Check the component names in pyproject.toml and the app's dependencies."},
}

// byExitCode has the words for Flower's numbered exit codes (flower-facts: 200 precondition, 201 ServerApp exception,
// 202 aggregation, 250 ClientApp communication, 302 bad node key, 305 connection, 606 version, 607 app import, 608 dependencies).
func (f Facts) byExitCode() (code domain.CauseCode, message, remedy string) {
	n := f.Task.ExitCode
	if words, ok := numbered[n]; ok {
		return domain.CauseCode(strconv.Itoa(n)), words.message, words.remedy
	}
	early := "Something ends the process while the app is being loaded: look for os._exit, sys.exit or a crash at import."
	switch {
	case !f.Task.Alive:
		return domain.CauseEarlyExit, fmt.Sprintf("The ServerApp ended before its first heartbeat, with exit code %d.", n), early
	case f.Unasked:
		return domain.CauseEarlyExit, fmt.Sprintf("The ServerApp ended before it asked any SuperNode, with exit code %d.", n), early
	}
	return domain.CauseExit, fmt.Sprintf("The ServerApp ended with exit code %d.", n), "Read the lines at the log's end."
}
