package diagnose

import (
	"archive/zip"
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs/applog"
)

// argument is a number that an app gives to a class of Flower: written in its source, or named there as a key of the run config.
type argument struct {
	value float64
	whole bool // written without a point: a count, not a part of all
	known bool
}

// Needs is what an app's source asks of the number of SuperNodes, as far as it can be read there.
type Needs struct {
	shares    argument // of secure aggregation: into how many shares a key is split
	threshold argument // how many of them bring it back
	least     argument // the older FedAvg's min_available_clients
}

var (
	secAggCall   = regexp.MustCompile(`\bSecAgg(Plus)?Workflow\(`)
	olderServer  = regexp.MustCompile(`\bflwr\.server\b`)
	fedAvgCall   = regexp.MustCompile(`\b(?:Fed[A-Za-z]+|Krum|Bulyan|QFedAvg)\(`)
	configKey    = regexp.MustCompile(`(?:config|cfg|conf)\w*(?:\[|\.get\()\s*["']([^"']{1,100})["']`)
	numberText   = regexp.MustCompile(`^[-+]?(?:\d[\d_]*)(\.\d*)?$|^\.\d+$`)
	assignedName = regexp.MustCompile(`^[A-Za-z_]\w*$`)
)

// NeedsOf reads what an app asks of the number of SuperNodes out of its source and the values of its config.
func NeedsOf(fab []byte, config map[string]any) (n Needs) {
	z, err := zip.NewReader(bytes.NewReader(fab), int64(len(fab)))
	if err != nil {
		return n
	}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".py") {
			n.read(textOf(f), config)
		}
	}
	return n
}

func (n *Needs) read(source string, config map[string]any) {
	if m := secAggCall.FindStringSubmatchIndex(source); m != nil {
		args := arguments(source[m[1]:])
		position := 0
		n.shares = argument{value: 1, known: true} // SecAgg's: one for each SuperNode
		if m[2] >= 0 {
			n.shares, position = numberOf(pick(args, "num_shares", 0), source, config), 1
		}
		n.threshold = numberOf(pick(args, "reconstruction_threshold", position), source, config)
		n.whole()
	}
	if m := fedAvgCall.FindStringIndex(source); m != nil && olderServer.MatchString(source) {
		n.least = numberOf(pick(arguments(source[m[1]:]), "min_available_clients", -1), source, config)
		if !n.least.known {
			n.least = argument{value: 2, whole: true, known: !strings.Contains(source, "min_available_clients")}
		}
	}
}

// whole puts 1.0 in the place of 1, as the workflow does.
func (n *Needs) whole() {
	for _, a := range []*argument{&n.shares, &n.threshold} {
		if a.known && a.value == 1 {
			a.whole = false
		}
	}
}

// arguments splits what follows the opening bracket of a call at its commas.
func arguments(text string) (out []string) {
	depth, from := 0, 0
	for i, r := range text[:min(len(text), 4000)] {
		switch r {
		case '(', '[', '{':
			depth++
		case ']', '}':
			depth--
		case ')':
			if depth--; depth < 0 {
				return append(out, strings.TrimSpace(text[from:i]))
			}
		case ',':
			if depth == 0 {
				out, from = append(out, strings.TrimSpace(text[from:i])), i+1
			}
		}
	}
	return nil
}

// pick finds an argument by its name, else by its position.
func pick(args []string, name string, position int) string {
	for _, a := range args {
		if k, v, ok := strings.Cut(a, "="); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	if position >= 0 && position < len(args) && !strings.Contains(args[position], "=") {
		return args[position]
	}
	return ""
}

// numberOf reads a number out of an expression: a literal, a key of the run config, or a name that one of them is assigned to.
func numberOf(expression, source string, config map[string]any) argument {
	if numberText.MatchString(expression) {
		v, err := strconv.ParseFloat(strings.ReplaceAll(expression, "_", ""), 64)
		return argument{value: v, whole: !strings.Contains(expression, "."), known: err == nil}
	}
	if m := configKey.FindStringSubmatch(expression); m != nil {
		switch v := config[m[1]].(type) {
		case int64:
			return argument{value: float64(v), whole: !strings.HasPrefix(expression, "float("), known: true}
		case float64:
			return argument{value: v, whole: strings.HasPrefix(expression, "int("), known: true}
		}
		return argument{}
	}
	if assignedName.MatchString(expression) {
		assigned := regexp.MustCompile(`(?m)^[ \t]*` + expression + `(?:\s*:[^=\n]+)?\s*=\s*([^=\n][^\n#]*)`)
		if m := assigned.FindStringSubmatch(source); m != nil && !assignedName.MatchString(strings.TrimSpace(m[1])) {
			return numberOf(strings.TrimSpace(m[1]), source, config)
		}
	}
	return argument{}
}

// secure says what secure aggregation needs of n SuperNodes: into how many shares each key is split, and how many SuperNodes must stay
// for the sum to be unmasked. ok is false where the app's source does not tell.
func (n Needs) secure(nodes int) (shares, threshold int, ok bool) {
	if !n.shares.known || !n.threshold.known || nodes < 2 {
		return 0, 0, false
	}
	shares = int(n.shares.value)
	if !n.shares.whole {
		shares = int(math.RoundToEven(n.shares.value * float64(nodes)))
		if shares < nodes && shares%2 == 0 {
			shares++
		}
		if shares <= 2 {
			shares = nodes
		}
	}
	threshold = int(n.threshold.value)
	if !n.threshold.whole {
		threshold = max(int(math.RoundToEven(n.threshold.value*float64(shares))), 2)
	}
	return shares, threshold, true
}

// secureWords say what secure aggregation needs of the SuperNodes that were asked.
func (n Needs) secureWords(nodes int) string {
	shares, threshold, ok := n.secure(nodes)
	switch {
	case !ok:
		return "Secure aggregation needs at least 2 SuperNodes, and enough of them must stay until the end of the round."
	case threshold > nodes:
		return fmt.Sprintf("Secure aggregation needs %s (reconstruction threshold %d), and only %d take part.", count(threshold, "SuperNode"), threshold, nodes)
	}
	return fmt.Sprintf("Secure aggregation splits each key into %d shares and needs %d of them: of %s, at least %d must stay until the end of the round.", shares, threshold, count(nodes, "SuperNode"), min(threshold, nodes))
}

// NeedsOfRun reads what a run's app, given with its FAB, asks of the number of SuperNodes.
func NeedsOfRun(run domain.Run, app domain.AppVersion) Needs {
	config := map[string]any{}
	for _, k := range app.Config {
		v := k.Default
		if set, ok := run.Config[k.Key]; ok {
			v = set
		}
		if f, ok := v.(float64); ok && k.Kind == domain.KindInt { // it went through JSON
			v = int64(f)
		}
		config[k.Key] = v
	}
	return NeedsOf(app.FAB, config)
}

// halted says why the log's last round of secure aggregation did not come to its end; "" where it did, or there was none.
func halted(lines []logfile.Line) string {
	for _, l := range slices.Backward(lines) {
		switch text := strings.TrimSpace(applog.Plain(l.Text)); text {
		case applog.SecureEnds, applog.SecureBegins:
			return ""
		case "Insufficient available nodes.":
			return "too few SuperNodes stayed until its end"
		case "The number of samples should be greater than 1.":
			return "it needs at least 2 SuperNodes"
		case "Not enough shares to recover secret in unmask vectors stage":
			return "too few SuperNodes sent their shares of the keys"
		}
	}
	return ""
}

// haltedRound has the words for a run whose secure aggregation was halted.
func (f Facts) haltedRound(why string) (message, remedy string) {
	message = "Secure aggregation halted" + inRound(f.Log) + ": " + why + "."
	return message, NeedsOfRun(f.Run, f.App).secureWords(len(newestOf(f.Asked, domain.PhaseTrain))) +
		" Launch the run again when enough are online, or lower the reconstruction threshold."
}
