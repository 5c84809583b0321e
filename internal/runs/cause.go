package runs

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// evidenceLines is how much of the log's end is searched for what went wrong.
const evidenceLines = 600

// cause says why a run failed, from the exit code, the SuperLink's words and the ServerApp's last output.
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
	c.Line, c.LogLine = ex.text, ex.logLine
	c.File, c.FileLine = ex.source(run.AppHash)
	byProcess, certain := s.byProcess(ctx, run, e, t)
	switch {
	case certain:
		c.Code, c.Where, c.Message, c.Remedy = byProcess.Code, byProcess.Where, byProcess.Message, byProcess.Remedy
	case ex.text != "":
		if c.Code, c.Message, c.Remedy = explain(ex); modulePattern.MatchString(ex.message) {
			c.Mend = pyproject
		}
	case t.Ended && t.ExitCode != 0:
		c.Code, c.Message, c.Remedy = s.byExitCode(ctx, run, t)
	case e.Details != "":
		c.Message, c.Remedy = "The SuperLink says: "+firstLine(e.Details), "Read the log's end; then launch the run again."
	default:
		c.Message, c.Remedy = "The run ended without saying why.", "Read the log's end and the SuperLink's log."
	}
	if !certain {
		if clash, ok := clashIn(lines, ex); ok {
			c.Where, c.Message, c.Remedy = s.misfit(ctx, run, lines, clash, t.Shapes)
			c.LogLine = max(c.LogLine, clash.line)
		} else if message, remedy, ok := s.known(ctx, run, lines, ex); ok {
			if c.Message, c.Remedy = message, remedy; ex.kind == "KeyError" {
				c.Mend = pyproject
			}
		}
		if t.ExitCode == exitDependencies {
			c = uninstalledCause(c, run.AppID, lines)
		}
	}
	if c.LogLine == 0 && len(lines) > 0 {
		c.LogLine = lines[len(lines)-1].N
	}
	if c.ExitCode > 0 && !strings.Contains(c.Message, "exit code") {
		c.Message = strings.TrimSuffix(c.Message, ".") + fmt.Sprintf(" (exit code %d).", c.ExitCode)
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

// exception is a Python exception as the log shows it.
type exception struct {
	kind    string // KeyError
	message string // 'lr'
	text    string // the whole line
	place   string // server_app.py:41, the deepest frame outside site-packages; may be empty
	path    string // of that frame's file
	line    int
	logLine int
}

// source returns the file of the app in which it was raised, and the line there; "" where that was elsewhere. Flower unpacks an app
// into a directory whose name ends with the beginning of its hash.
func (ex exception) source(hash string) (file string, line int) {
	_, file, _ = strings.Cut(strings.ReplaceAll(ex.path, `\`, "/"), "."+hash[:min(len(hash), 8)]+"/")
	if file == "" || len(file) > 300 {
		return "", 0
	}
	return file, ex.line
}

var (
	exceptionPattern = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.]*(?:Error|Exception|Interrupt|Exit|Warning|Iteration|Group)|[A-Z][A-Za-z0-9_]*)(?:: (.*))?$`)
	framePattern     = regexp.MustCompile(`^\s+File "([^"]+)", line (\d+)`)
	levelPattern     = regexp.MustCompile(`^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\s*:\s*`)
)

// lastException finds the last traceback's exception: the first unindented line after its frames.
func lastException(lines []logfile.Line) exception {
	start := -1
	for i, l := range lines {
		if strings.Contains(l.Text, "Traceback (most recent call last)") {
			start = i
		}
	}
	var ex exception
	if start < 0 {
		return ex
	}
	for _, l := range lines[start+1:] {
		text := plain(l.Text)
		if m := framePattern.FindStringSubmatch(text); m != nil {
			if !strings.Contains(m[1], "site-packages") && !strings.HasPrefix(m[1], "<") && !strings.Contains(m[1], "/lib/python") {
				ex.place, ex.path = m[1][strings.LastIndexByte(m[1], '/')+1:]+":"+m[2], m[1]
				ex.line, _ = strconv.Atoi(m[2]) // one of ten digits or more is no line
			}
			continue
		}
		if text == "" || text[0] == ' ' || text[0] == '\t' {
			continue
		}
		if m := exceptionPattern.FindStringSubmatch(text); m != nil {
			ex.kind, ex.message, ex.text, ex.logLine = m[1][strings.LastIndexByte(m[1], '.')+1:], m[2], text, l.N
		}
		break
	}
	return ex
}

var modulePattern = regexp.MustCompile(`No module named '([^']+)'`)

// explain turns an exception into the words of a failure card.
func explain(ex exception) (code, message, remedy string) {
	at := ""
	if ex.place != "" {
		at = ", " + ex.place
	}
	if m := modulePattern.FindStringSubmatch(ex.message); m != nil {
		return "import", fmt.Sprintf("The ServerApp cannot import %s%s.", m[1], at),
			fmt.Sprintf("Name the package that provides %s in the app's pyproject.toml and launch with dependency installation on, or install it in the server's Python environment.", m[1])
	}
	what := ex.kind
	if ex.message != "" {
		what += " " + ex.message
	}
	message = fmt.Sprintf("The ServerApp raised %s%s.", what, at)
	switch ex.kind {
	case "KeyError":
		return "201", message, "If the run config lacks it, clone the run and set it; else fix the app and add the new version."
	case "ImportError":
		return "import", message, "Check that the app's modules and its dependencies fit together; then add the new version."
	case "MemoryError":
		return "201", message, "The machine ran out of memory: use a smaller model, or a larger machine."
	}
	return "201", message, "Fix the app at that line, add the new version, and launch again."
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
