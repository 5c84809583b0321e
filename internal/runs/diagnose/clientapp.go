package diagnose

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/pyerror"
)

// AppFailure is one way in which the ClientApp of one SuperNode failed in a run.
type AppFailure struct {
	NodeID  uint64
	Times   int
	Message string // begins with "cannot", "raised" …, to follow a name
	Remedy  string
	Output  string // of the last time, where its owner shares it
	Rounds  []int  // in which that was, where it is known
}

// AppFailures sums up how ClientApps failed in a run, by SuperNode and cause: from what their agents reported, and from the error
// replies of the run, oldest first.
func AppFailures(exits []domain.AppExit, errors []domain.Exchange) []AppFailure {
	var out []AppFailure
	for _, e := range exits {
		message, remedy := exitWords(e, errors)
		i := slices.IndexFunc(out, func(f AppFailure) bool { return f.NodeID == e.NodeID && f.Message == message })
		if i < 0 {
			i = len(out)
			out = append(out, AppFailure{NodeID: e.NodeID, Message: message, Remedy: remedy})
		}
		out[i].Times++
		if e.Output != "" {
			out[i].Output = e.Output
		}
	}
	return withErrors(out, errors)
}

// withErrors adds what only the wire told: the error replies of SuperNodes whose agents have told nothing, if they have one.
func withErrors(out []AppFailure, errors []domain.Exchange) []AppFailure {
	told := len(out)
	for _, e := range errors {
		message, remedy, lost := errorWords(e.Error)
		if !lost && slices.ContainsFunc(out[:told], func(f AppFailure) bool { return f.NodeID == e.NodeID }) {
			continue
		}
		i := slices.IndexFunc(out, func(f AppFailure) bool { return f.NodeID == e.NodeID && f.Message == message })
		if i < 0 {
			i = len(out)
			out = append(out, AppFailure{NodeID: e.NodeID, Message: message, Remedy: remedy})
		}
		out[i].Times++
		out[i].Rounds = append(out[i].Rounds, e.Round)
	}
	return out
}

// The words of our own agent for a ClientApp without a reply. They hold nothing of the participant's data.
var (
	ownWords       = regexp.MustCompile(`^The ClientApp ended without a reply: ((?:it [a-zA-Z0-9 ]{1,80}|exit code -?\d{1,10}|ended by SIG[A-Z0-9]{1,10}))\.$`)
	stoppedPattern = regexp.MustCompile(`^The participant(?:'s SuperNode was restarted| stopped the SuperNode) while it worked on this message\.$`)
)

// mendClient is the remedy for a ClientApp that raised an exception of which nothing more is known.
const mendClient = "The log of the run on that machine shows the lines. Fix the app so that it works with that machine's data, and add the new version."

// errorWords has the words for an error reply, and whether the SuperNode was lost rather than its ClientApp failing.
func errorWords(reply string) (message, remedy string, lost bool) {
	if ex, ok := pyerror.FromReply(reply); ok {
		message, remedy = raisedWords(ex, reply)
		return message, remedy, false
	}
	if message, remedy, ok := refusalWords(reply); ok {
		return message, remedy, false
	}
	switch {
	case stoppedPattern.MatchString(reply):
		return "was stopped or restarted by its owner.", "Its partition is kept. It takes part again when it is back.", true
	case ownWords.MatchString(reply):
		return "gave no reply: " + ownWords.FindStringSubmatch(reply)[1] + ".", "The log of the run on that machine shows the lines.", false
	case strings.HasPrefix(reply, "Error: Node Unavailable"):
		return "went offline before it answered.", "Its partition is kept; its owner starts the SuperNode again.", true
	case strings.HasPrefix(reply, "Error: Reply Message Unavailable"), strings.HasPrefix(reply, "Error: Message Unavailable"):
		return "did not answer in time.", "It may be too slow for this run, or was restarted meanwhile.", true
	case strings.HasPrefix(reply, "An exception was raised when attempting to load"):
		return "cannot load the app.", "The log of the run on that machine shows what is missing.", false
	}
	return "answered with an error.", "The log of the run on that machine shows the lines.", false
}

// tooFewNeighbours is what Flower's secure aggregation says in a ClientApp whose round others have left.
var tooFewNeighbours = []string{"Available neighbours number smaller than threshold", "Not enough available neighbour clients."}

const anotherFlower = "is written for another Flower version"

// flowerWords has the words for a ClientApp that uses a part of Flower which its SuperNode's version lacks.
func flowerWords(part string) (message, remedy string) {
	return "cannot run the app: its Flower has no " + part + ", so the app " + anotherFlower + ".",
		"Update the app for the Flower version that the SuperNodes run, set flwr in its pyproject.toml to match, and add the new version."
}

// raisedWords has the words for an exception in an error reply. Its message is not told, as it may hold the participant's data; of what
// is told, each part has a form of its own.
func raisedWords(ex pyerror.Exception, reply string) (message, remedy string) {
	if part := pyerror.FlowerPart(ex); part != "" {
		return flowerWords(part)
	}
	if module := pyerror.MissingModule(ex); module != "" {
		return appWords(domain.AppExit{Module: module})
	}
	if ex.Kind == uninstalledKind {
		message, remedy = appWords(domain.AppExit{ExitCode: exitDependencies})
		return cmp.Or(packagesIn(reply), message), remedy
	}
	if ex.Kind == "ValueError" && slices.Contains(tooFewNeighbours, ex.Message) {
		return "had too few other SuperNodes for secure aggregation.",
			"Launch the run again when enough SuperNodes are online, or lower the reconstruction threshold."
	}
	if n, ok := pyerror.NetworkIn([]pyerror.Exception{ex}); ok {
		return n.Said() + ".", n.Remedy("that machine")
	}
	return "raised " + ex.Kind + ".", mendClient
}

// exitWords has the words for how a ClientApp failed, from what its agent told and from its error reply, which tells more of some
// exceptions.
func exitWords(e domain.AppExit, errors []domain.Exchange) (message, remedy string) {
	message, remedy = appWords(e)
	for _, x := range errors {
		ex, ok := pyerror.FromReply(x.Error)
		if ok && x.NodeID == e.NodeID && (ex.Kind == e.Kind || e.ExitCode == exitDependencies && ex.Kind == uninstalledKind) {
			if said, fix := raisedWords(ex, x.Error); e.Trouble == "" && said != "raised "+ex.Kind+"." {
				message, remedy = said, fix
			}
			break
		}
	}
	if at := exitPlace(e); at != "" {
		message = strings.TrimSuffix(message, ".") + ", " + at + "."
	}
	return message, remedy
}

// exitPlace names the line of the app that raised a ClientApp's exception; "" where that is not known.
func exitPlace(e domain.AppExit) string {
	if e.File == "" || e.FileLine == 0 || e.Module != "" && !strings.HasPrefix(e.Module, "flwr.") { // a module is fixed elsewhere
		return ""
	}
	at := placeOf(e.File[strings.LastIndexByte(e.File, '/')+1:], e.FileLine, e.Func)
	if e.Code != "" {
		at += ", “" + e.Code + "”"
	}
	return at
}

// uninstalledKind is Flower's exception for packages that could not be installed.
const uninstalledKind = "RuntimeDependencyInstallationError"

// packagesIn reads which packages of the app could not be installed out of an error reply, and nothing else: the rest of uv's words
// is of the participant's machine.
func packagesIn(reason string) string {
	message, _, _ := uninstalled(strings.Split(reason, "\n"))
	what, why, ok := strings.Cut(message, " failed: ")
	if what, installing := strings.CutPrefix(what, "Installing "); ok && installing {
		return "could not install " + what + ": " + why
	}
	return ""
}

// appWords has the words for how a ClientApp failed (flower-facts: 201 exception, 250 communication, 607 import, 608 dependencies).
func appWords(e domain.AppExit) (message, remedy string) {
	switch {
	case e.Trouble != "":
		n := pyerror.Network{Trouble: pyerror.Trouble(e.Trouble), Address: e.Address}
		return n.Said() + ".", n.Remedy("that machine")
	case strings.HasPrefix(e.Module, "flwr."):
		return flowerWords(e.Module)
	case e.Module != "":
		return "cannot import " + e.Module + ".",
			fmt.Sprintf("Its owner installs %s beside the SuperNode, or lets apps install packages (join --deps=allow).", e.Module)
	case e.Kind == "MemoryLimit":
		return "passed the memory limit that its owner has set.", "A smaller model or batch helps; or its owner raises --app-memory."
	case e.Kind == "DiskLimit":
		return "passed the disk limit that its owner has set.", "Have the app keep fewer or smaller files; or its owner raises --app-disk."
	case e.Kind == "TimeLimit":
		return "passed the time limit that its owner has set.", "Fewer local epochs or samples help; or its owner raises --app-time."
	case e.Kind == "NoReply":
		return "ended its process with exit code 0 before it replied.",
			"The app must return its reply instead of ending the process, for example with sys.exit or os._exit."
	case e.Kind == "ReturnedNothing":
		return "returned None instead of a reply.", "The app's function must return a Message."
	case e.Signal == "SIGKILL":
		return "was ended by SIGKILL.",
			"The machine may have run out of memory: its owner looks at the system log; a smaller model or batch helps."
	case e.Signal != "":
		return "was ended by " + e.Signal + ".", "Its owner looks at the log of the run on that machine."
	case e.Kind == "NotStarted":
		return "could not be started.", "Its owner runs join again; it mends the Python environment."
	case e.ExitCode == 607:
		return "cannot import the app.", "Its owner looks at the log of the run on that machine for what is missing."
	case e.ExitCode == 606:
		return "has another Flower version than the app needs.", "Its owner runs join again; it brings the version that this server needs."
	case e.ExitCode == exitDependencies:
		return "could not install the packages that the app names.",
			"Fix the dependencies in pyproject.toml, or its owner gives pip a way to its index."
	case e.ExitCode == 250:
		return "lost its SuperNode.", "It may have been restarted; the next round shows whether it is back."
	case e.Kind != "":
		return "raised " + e.Kind + ".", mendClient
	}
	return fmt.Sprintf("ended with exit code %d.", e.ExitCode), "Its owner looks at the log of the run on that machine."
}
