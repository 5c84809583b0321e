package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/pyerror"
	"blossomtune/internal/runs/applog"
)

// exception is the Python exception that ended a ServerApp, as its log shows it.
type exception struct {
	pyerror.Exception
	chain   []pyerror.Exception // all that led to it; it is the last
	text    string              // the whole line; "" where the log has no exception
	at      pyerror.Frame       // the deepest frame of the app
	known   bool                // there is such a frame
	library bool                // it was raised in a library below that frame
	logLine int
}

// lastException finds the exception that ended a ServerApp in its log's end.
func lastException(lines []logfile.Line) (ex exception) {
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.Text
	}
	chain := pyerror.Parse(texts)
	if len(chain) == 0 {
		return ex
	}
	ex.chain, ex.Exception = chain, chain[len(chain)-1]
	ex.text, ex.logLine = strings.TrimLeft(applog.Plain(texts[ex.Line]), " |+"), lines[ex.Line].N
	var below []pyerror.Frame
	ex.at, below, ex.known = pyerror.AppFrame(chain)
	ex.library = len(below) > 0
	return ex
}

// maxCode bounds what a message shows of a line of code, in bytes.
const maxCode = 100

// place names the line of the app, to follow what was raised there: ", server_app.py:41 in main".
func (ex exception) place() string {
	if !ex.known {
		return ""
	}
	return ", " + placeOf(ex.at.Name(), ex.at.Line, ex.at.Func)
}

// placeOf names a line of code: "server_app.py:41 in main".
func placeOf(file string, line int, function string) string {
	p := fmt.Sprintf("%s:%d", file, line)
	if function != "" && function != "<module>" {
		p += " in " + function
	}
	return p
}

// code quotes the line of the app where that is not where it was raised: the log's end then shows the library's lines.
func (ex exception) code() string {
	if !ex.known || !ex.library || ex.at.Code == "" {
		return ""
	}
	return ", “" + domain.Cut(ex.at.Code, maxCode) + "”"
}

// source returns the file of the app in which it was raised, and the line there; "" where that was elsewhere.
func (ex exception) source() (file string, line int) {
	if file = ex.at.File(); file == "" {
		return "", 0
	}
	return file, ex.at.Line
}

// said is an exception's kind and message: "KeyError 'lr'".
func said(e pyerror.Exception) string {
	return strings.TrimSpace(e.Kind + " " + cutText(e.Message))
}

// cause is the exception that this one was raised from, the first of them; false where there is none or it says the same.
func (ex exception) cause() (pyerror.Exception, bool) {
	i := len(ex.chain) - 1
	for i > 0 && ex.chain[i].From == pyerror.Cause {
		i--
	}
	if i < 0 || i == len(ex.chain)-1 || ex.chain[i].Message == ex.Message {
		return pyerror.Exception{}, false
	}
	return ex.chain[i], true
}

// flowerPart is the part of Flower that the app misses; "" where it was about something else.
func (ex exception) flowerPart() string {
	for i := len(ex.chain) - 1; i >= 0; i-- {
		if part := pyerror.FlowerPart(ex.chain[i]); part != "" {
			return part
		}
		if ex.chain[i].From != pyerror.Cause {
			break
		}
	}
	return ""
}

// explain turns a ServerApp's exception into the words of a failure card.
func explain(ex exception) (code domain.CauseCode, message, remedy string) {
	if n, ok := pyerror.NetworkIn(ex.chain); ok {
		return domain.CauseNetwork, "The server " + n.Said() + ex.place() + ex.code() + ".", n.Remedy("the server")
	}
	if module := pyerror.MissingModule(ex.Exception); module != "" {
		return domain.CauseImport, fmt.Sprintf("The ServerApp cannot import %s%s.", module, ex.place()),
			fmt.Sprintf("Name the package that provides %s in the app's pyproject.toml and launch with dependency installation on, or install it in the server's Python environment.", module)
	}
	message = "The ServerApp raised " + said(ex.Exception) + ex.place() + ex.code()
	if by, ok := ex.cause(); ok {
		message += "; its cause was " + said(by)
	}
	if ex.Group != "" && ex.Others > 0 {
		message += fmt.Sprintf(", and %s in one %s", count(ex.Others, "further exception"), ex.Group)
	}
	message += "."
	switch ex.Kind {
	case "KeyError":
		return domain.CauseException, message, "If the run config lacks it, clone the run and set it; else fix the app and add the new version."
	case "ImportError":
		return domain.CauseImport, message, "Check that the app's modules and its dependencies fit together; then add the new version."
	case "SyntaxError", "IndentationError", "TabError":
		return domain.CauseException, message,
			"Fix the app at that line, or run it with the Python version that it is written for; then add the new version."
	case "MemoryError", "OutOfMemoryError", "_ArrayMemoryError":
		return domain.CauseException, message, "The machine ran out of memory: use a smaller model, or a larger machine."
	}
	return domain.CauseException, message, "Fix the app at that line, add the new version, and launch again."
}

// ownFault reports whether an exception is the ServerApp's own, whatever its participants replied.
func (ex exception) ownFault() bool {
	if _, network := pyerror.NetworkIn(ex.chain); network || ex.flowerPart() != "" {
		return true
	}
	return slices.Contains([]string{"ModuleNotFoundError", "ImportError", "SyntaxError", "IndentationError", "TabError", "NameError", "UnboundLocalError", "MemoryError", "PermissionError"}, ex.Kind)
}
