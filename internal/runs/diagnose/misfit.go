package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs/applog"
)

// What numpy 2 and torch 2 say of arrays whose shapes do not fit.
var (
	broadcastPattern = regexp.MustCompile(`could not be broadcast together with shapes \(([\d, ]*)\) \(([\d, ]*)\)`)
	outputPattern    = regexp.MustCompile(`non-broadcastable output operand with shape \(([\d, ]*)\) doesn't match the broadcast shape \(([\d, ]*)\)`)
	stackPattern     = regexp.MustCompile(`stack expects each tensor to be equal size, but got \[([\d, ]*)\] at entry \d+ and \[([\d, ]*)\]`)
	loadPattern      = regexp.MustCompile(`size mismatch for (\S+): copying a param with shape torch\.Size\(\[([\d, ]*)\]\) from checkpoint, the shape in current model is torch\.Size\(\[([\d, ]*)\]\)`)
	unlikePattern    = regexp.MustCompile(`all input arrays must have the same shape|array dimensions except for the concatenation axis must match exactly|has an inhomogeneous shape|size of tensor a \(\d+\) must match the size of tensor b`)
)

// clash is what an exception says of shapes that do not fit.
type clash struct {
	array  string   // "" where it names none
	shapes []string // two, or none
	load   bool     // when arrays were loaded into a model, not averaged
	line   int      // of the log; 0: that of the exception
}

// clashIn reads a clash of shapes out of an exception and the lines that follow it; ok is false where there is none.
func clashIn(lines []logfile.Line, ex exception) (c clash, ok bool) {
	for _, p := range []*regexp.Regexp{broadcastPattern, outputPattern, stackPattern} {
		if m := p.FindStringSubmatch(ex.Message); m != nil {
			return clash{shapes: []string{shapeOf(m[1]), shapeOf(m[2])}}, true
		}
	}
	if unlikePattern.MatchString(ex.Message) {
		return clash{}, true
	}
	if !strings.Contains(ex.Message, "loading state_dict") {
		return clash{}, false
	}
	for _, l := range lines {
		if m := loadPattern.FindStringSubmatch(applog.Plain(l.Text)); m != nil && l.N > ex.logLine {
			return clash{array: m[1], shapes: []string{shapeOf(m[2]), shapeOf(m[3])}, load: true, line: l.N}, true
		}
	}
	return clash{}, false
}

// shapeOf writes a shape as numpy and torch do between their brackets the way that [domain.SentShape] does.
func shapeOf(dims string) string {
	fields := strings.FieldsFunc(dims, func(r rune) bool { return r == ',' || r == ' ' })
	return "(" + strings.Join(fields, ", ") + ")"
}

// misfit says of arrays whose shapes do not fit who sent which, or why that is not known.
func (f Facts) misfit(c clash) (where, message, remedy string) {
	message = "Aggregation failed" + inRound(f.Log)
	if c.load {
		message = "Loading arrays into the ServerApp's model failed" + inRound(f.Log)
	}
	sent := f.Task.Shapes
	m, found := c.among(sent)
	if found {
		where, said, remedy := told(m, f.Keys)
		return where, message + ": " + said + ".", remedy
	}
	message += ": " + c.words() + "."
	switch {
	case sent == nil || sent.Replies+sent.Unread == 0:
		return "ServerApp", message + " Which participant sent which is not known: no reply with arrays was seen on its way.", mendShapes
	case sent.Unread > 0:
		return "ServerApp", message + fmt.Sprintf(" Which participant sent which is not known: %s had more arrays than are looked at on their way.", replies(sent.Unread)), mendShapes
	case len(sent.Differ) > 0:
		_, said, _ := told(sent.Differ[0], f.Keys)
		return "ServerApp", message + " No participant sent arrays of just these shapes, but the replies differ: " + said + ".", mendShapes
	}
	return "ServerApp", message + fmt.Sprintf(" All arrays that participants sent had the same shapes (%s), so it is what the ServerApp does with them.", replies(sent.Replies)),
		"Make the ServerApp's model the same as the ClientApp's, and add the new version."
}

const mendShapes = "Every participant must send arrays of the same shapes: compare what their data makes of the model, mend the app and add the new version."

func replies(n int) string {
	if n == 1 {
		return "1 reply"
	}
	return fmt.Sprintf("%d replies", n)
}

// words say a clash as the exception does.
func (c clash) words() string {
	switch {
	case c.load:
		return fmt.Sprintf("%s has shape %s, the model's has %s", c.array, c.shapes[0], c.shapes[1])
	case len(c.shapes) == 2:
		return fmt.Sprintf("shapes %s and %s do not fit", c.shapes[0], c.shapes[1])
	}
	return "the arrays have different shapes"
}

// among finds the array that a clash is about among those that participants sent in different shapes. Of one that names no shapes it
// is the first: strategies go through arrays in their order.
func (c clash) among(sent *domain.Shapes) (domain.Misfit, bool) {
	if sent == nil {
		return domain.Misfit{}, false
	}
	for _, m := range sent.Differ {
		has := func(shape string) bool {
			return slices.ContainsFunc(m.Sent, func(v domain.SentShape) bool { return v.Shape == shape })
		}
		if c.load && m.Array == c.array || !c.load && (len(c.shapes) == 0 || has(c.shapes[0]) && has(c.shapes[1])) {
			return m, true
		}
	}
	return domain.Misfit{}, false
}

// toldShapes is how many odd shapes of an array are told.
const toldShapes = 3

// told says who sent an array in which shape, the odd ones first, and what to do. where is the participant who is alone with its shape.
func told(m domain.Misfit, keys []domain.NodeKey) (where, said, remedy string) {
	most, odd := m.Sent[0], m.Sent[1:]
	who := senders(odd[0], keys)
	parts := []string{fmt.Sprintf("%s sent %s of shape %s", who, m.Array, odd[0].Shape)}
	if odd[0].Shape == "" {
		parts[0] = fmt.Sprintf("%s sent no %s", who, m.Array)
	}
	for _, v := range odd[1:min(len(odd), toldShapes)] {
		parts = append(parts, senders(v, keys)+" "+shapeOrNone(v.Shape))
	}
	if further := len(odd) - toldShapes; further > 0 {
		parts = append(parts, fmt.Sprintf("some %s more", count(further, "shape")))
	}
	if most.Count > odd[0].Count {
		parts = append(parts, count(most.Count, "other")+" "+shapeOrNone(most.Shape))
	} else {
		parts = append(parts, senders(most, keys)+" "+shapeOrNone(most.Shape))
	}
	where, said, remedy = "ServerApp", strings.Join(parts, ", "), mendShapes
	if len(odd) == 1 && odd[0].Count == 1 && most.Count > 1 && strings.HasPrefix(who, "partition ") {
		where = domain.FirstUpper(who)
		remedy = fmt.Sprintf("Compare what the data of %s makes of %s with the others' (classes, features, words). Mend the app so that every participant sends the same shapes, and add the new version.", who, m.Array)
	}
	return where, said, remedy
}

func shapeOrNone(shape string) string {
	if shape == "" {
		return "none"
	}
	return shape
}

// senders names who sent a shape, by partition where that is known.
func senders(v domain.SentShape, keys []domain.NodeKey) string {
	var known []int
	for _, k := range keys {
		if slices.Contains(v.Nodes, k.NodeID) {
			known = append(known, k.Partition)
		}
	}
	if len(known) < v.Count {
		return count(v.Count, "SuperNode")
	}
	return Partitions(known)
}
