package applog

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// Parser reads what a ServerApp's log tells and the wire does not: the rounds, the aggregated metrics and the ServerApp's own
// evaluation. The lines are those of flwr 1.42's Strategy.start (new API) and Server.fit (older API), see flower-facts.md, and for the
// rounds what apps with a loop of their own print.
// It is fed every line from the first on, so it can begin anew at any time; what it finds is stored at most once.
type Parser struct {
	round, rounds int  // of the run
	said, base    int  // the round as the app counts it, and the rounds of the strategies before this one
	fromZero      bool // the app counts its rounds from 0
	phase         domain.Phase
	global        bool // "Global evaluation" was said; its MetricRecord follows
	history       string
	open          printed // a value that goes on in the next lines
	found         []domain.Metric
	newRound      bool
	names         map[string]bool
	kept, dropped int // metrics since the first line
}

// printed is a Python value in the log, and what it is of.
type printed struct {
	text  string
	lines int
	round int
	phase domain.Phase
	shape printedShape
}

type printedShape int

const (
	asRecord  printedShape = iota // {name: value}
	asFit                         // (round, loss, {name: value}, seconds); the older API
	asLoss                        // (loss, {name: value}); the older API
	asHistory                     // {name: [(round, value)]}; the older API
)

var (
	levelPattern   = regexp.MustCompile(`^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\s*:\s*`)
	colours        = regexp.MustCompile("\x1b\\[[0-9;]*m")
	aggregatePhase = regexp.MustCompile(`^aggregate_(train|fit|evaluate): `)
	historyHead    = regexp.MustCompile(`^History \(([^)]*)\):`)
	historyRound   = regexp.MustCompile(`^round (\d+): (\S+)`)
)

const (
	sayAggregated = "Aggregated MetricRecord: "
	sayGlobal     = "└──> MetricRecord: "
	sayInitial    = "Initial global evaluation results: "
	sayFit        = "fit progress: "
	sayLoss       = "initial parameters (loss, other metrics): "
)

// Uncoloured is a line without the codes that colour it on a terminal.
func Uncoloured(line string) string { return colours.ReplaceAllString(line, "") }

// HasLevel reports whether a line begins with a logger's level.
func HasLevel(line string) bool { return levelPattern.MatchString(line) }

// Plain strips colours and the logger's level, which Flower pads with spaces and colons.
func Plain(line string) string {
	line = Uncoloured(line)
	if loc := levelPattern.FindStringIndex(line); loc != nil {
		line = line[loc[1]:]
	}
	return line
}

// telling are words of which a line that tells something has one: a flood of other lines costs a glance each.
var telling = []string{"ound", "OUND", "aggregate_", "MetricRecord", "lobal evaluation", "initial parameters", "fit progress", "History ("}

// Line takes the next line in.
func (p *Parser) Line(l logfile.Line) {
	tells := false
	for _, word := range telling {
		tells = tells || strings.Contains(l.Text, word)
	}
	if !tells && p.open.text == "" && !(p.history != "" && strings.Contains(l.Text, "{")) {
		return
	}
	text := strings.TrimSpace(Plain(l.Text))
	if p.open.text != "" && p.goesOn(text) {
		return
	}
	if m := aggregatePhase.FindStringSubmatch(text); m != nil {
		p.phase, p.global = domain.PhaseTrain, false
		if m[1] == "evaluate" {
			p.phase = domain.PhaseEvaluate
		}
		return
	}
	if p.records(text) || p.legacy(text) {
		return
	}
	if n, total, ok := RoundSaid(text); ok && p.says(n, total, flowerRound(text)) {
		p.newRound, p.global, p.history = true, false, ""
	}
}

// records reads what strategies of the newer API print.
func (p *Parser) records(text string) bool {
	switch {
	case text == "Global evaluation":
		p.global = true
	case strings.HasPrefix(text, sayInitial):
		p.print(printed{text: text[len(sayInitial):], phase: domain.PhaseServer})
	case p.global && strings.HasPrefix(text, sayGlobal):
		p.print(printed{text: text[len(sayGlobal):], round: p.round, phase: domain.PhaseServer})
		p.global = false
	case p.phase != "" && strings.Contains(text, sayAggregated):
		_, dict, _ := strings.Cut(text, sayAggregated)
		p.print(printed{text: dict, round: p.round, phase: p.phase})
	default:
		return false
	}
	return true
}

// historyPhases are the tables that the older API prints at the end. Losses come a round a line, the others as one dict each.
var historyPhases = map[string]domain.Phase{"loss, distributed": domain.PhaseEvaluate, "metrics, distributed, fit": domain.PhaseTrain, "metrics, distributed, evaluate": domain.PhaseEvaluate,
	"metrics, centralized": domain.PhaseServer}

// legacy reads what the older API prints.
func (p *Parser) legacy(text string) bool {
	if m := historyHead.FindStringSubmatch(text); m != nil {
		p.history = m[1]
		return true
	}
	switch {
	case strings.HasPrefix(text, sayLoss):
		p.print(printed{text: "(" + text[len(sayLoss):] + ")", phase: domain.PhaseServer, shape: asLoss})
	case strings.HasPrefix(text, sayFit):
		p.print(printed{text: text[len(sayFit):], phase: domain.PhaseServer, shape: asFit})
	case p.history != "" && strings.HasPrefix(text, "{"):
		if phase, known := historyPhases[p.history]; known {
			p.print(printed{text: text, phase: phase, shape: asHistory})
		}
	case p.history != "" && historyRound.MatchString(text):
		m := historyRound.FindStringSubmatch(text)
		round, _ := strconv.Atoi(m[1]) // the pattern gives digits
		if v, _ := readPython(m[2]); v.kind == pyNumber && p.history == "loss, distributed" {
			p.number(p.base+round, domain.PhaseEvaluate, "loss", v.number)
		}
	default:
		return false
	}
	return true
}

const (
	maxOpen      = 64 << 10 // bytes of a value over several lines
	maxOpenLines = 400
)

// print takes a printed value in, or keeps it open where it goes on in the next line, as numpy's arrays do.
func (p *Parser) print(v printed) {
	value, state := readPython(v.text)
	if p.open = (printed{}); state == pyOpen && len(v.text) < maxOpen && v.lines < maxOpenLines {
		p.open = v
		return
	}
	if state != pyBroken {
		p.takeIn(v, value)
	}
}

// goesOn adds a line to the value that is open. It reports false when the line is none of it.
func (p *Parser) goesOn(text string) bool {
	if strings.HasPrefix(text, "[ROUND ") || aggregatePhase.MatchString(text) || strings.Contains(text, sayAggregated) || historyHead.MatchString(text) {
		p.open = printed{}
		return false
	}
	v := p.open
	v.text, v.lines = v.text+"\n"+text, v.lines+1
	p.print(v)
	return true
}

func (p *Parser) takeIn(of printed, v pyValue) {
	switch of.shape {
	case asRecord:
		p.values(of.round, of.phase, "", v)
	case asLoss:
		if len(v.items) == 2 {
			p.values(0, of.phase, "loss", v.items[0])
			p.values(0, of.phase, "", v.items[1])
		}
	case asFit:
		if len(v.items) == 4 {
			if n, ok := roundOf(v.items[0]); ok {
				n += p.base
				p.values(n, of.phase, "loss", v.items[1])
				p.values(n, of.phase, "", v.items[2])
			}
		}
	case asHistory:
		for i, name := range v.keys {
			for _, pair := range v.items[i].items {
				if len(pair.items) != 2 {
					continue
				}
				if n, ok := roundOf(pair.items[0]); ok {
					p.values(p.base+n, of.phase, name, pair.items[1])
				}
			}
		}
	}
}

func roundOf(v pyValue) (int, bool) {
	ok := v.kind == pyNumber && v.number >= 0 && v.number <= maxRound && v.number == math.Trunc(v.number)
	if !ok {
		return 0, false
	}
	return int(v.number), true
}

// values takes in every number of a value: those of a dict under their names, those of a list under its own, with their index.
func (p *Parser) values(round int, phase domain.Phase, name string, v pyValue) {
	if name == "" && v.kind != pyDict {
		return
	}
	switch v.kind {
	case pyNumber:
		p.number(round, phase, domain.FitMetricName(name), v.number)
	case pyDict:
		for i, key := range v.keys {
			if name != "" {
				key = name + "." + key
			}
			p.values(round, phase, key, v.items[i])
		}
	case pyList:
		name = domain.FitMetricName(name)
		for i, n := range v.numbers(nil) {
			if i >= domain.MaxListMetric {
				p.dropped++
				continue
			}
			p.number(round, phase, domain.ElementName(name, i), n)
		}
	}
}

// numbers returns the numbers of a list and of the lists in it, row by row.
func (v pyValue) numbers(out []float64) []float64 {
	for _, it := range v.items {
		switch it.kind {
		case pyNumber:
			out = append(out, it.number)
		case pyList:
			out = it.numbers(out)
		}
	}
	return out
}

func (p *Parser) number(round int, phase domain.Phase, name string, v float64) {
	whole := domain.WholeName(name)
	if p.kept >= domain.MaxLogMetrics || !p.names[whole] && len(p.names) >= domain.MaxMetricNames {
		p.dropped++
		return
	}
	if p.names == nil {
		p.names = map[string]bool{}
	}
	p.names[whole] = true
	p.kept++
	p.found = append(p.found, domain.Metric{Round: round, Phase: phase, Name: name, Value: v})
}

// Take returns the metrics that were found since the last call, and whether a round began since then.
func (p *Parser) Take() (found []domain.Metric, newRound bool) {
	found, newRound = p.found, p.newRound
	p.found, p.newRound = nil, false
	return found, newRound
}

// Round is the newest round that the log names, and of how many; 0 where it names none.
func (p *Parser) Round() (round, of int) { return p.round, p.rounds }

// Dropped is how many metrics the limits left out since the first line.
func (p *Parser) Dropped() int { return p.dropped }
