package runs

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// parser reads what a ServerApp's log tells and the wire does not: the rounds, the aggregated metrics and the ServerApp's own
// evaluation. The lines are those of flwr 1.42's Strategy.start (new API) and Server.fit (older API), see flower-facts.md.
// It is fed every line from the first on, so it can begin anew at any time; what it finds is stored at most once.
type parser struct {
	round, rounds int
	phase         domain.Phase
	global        bool // "Global evaluation" was said; its MetricRecord follows
	history       string
	found         []domain.Metric
	newRound      bool
	names         map[string]bool
	kept, dropped int // metrics since the first line
}

var (
	ansi            = regexp.MustCompile("\x1b\\[[0-9;]*m")
	roundPattern    = regexp.MustCompile(`^\[ROUND (\d+)(?:/(\d+))?\]`)
	aggregatePhase  = regexp.MustCompile(`^aggregate_(train|fit|evaluate): `)
	aggregateRecord = regexp.MustCompile(`Aggregated MetricRecord: (\{.*\})`)
	globalRecord    = regexp.MustCompile(`^└──> MetricRecord: (\{.*\})`)
	initialGlobal   = regexp.MustCompile(`^Initial global evaluation results: (\{.*\})`)
	initialLegacy   = regexp.MustCompile(`^initial parameters \(loss, other metrics\): ([^,]+), (\{.*\})`)
	fitProgress     = regexp.MustCompile(`^fit progress: \((\d+), ([^,]+), (\{.*\}), [^,]+\)`)
	historyHead     = regexp.MustCompile(`^History \(([^)]*)\):`)
	historyRound    = regexp.MustCompile(`^round (\d+): (\S+)`)
	pair            = regexp.MustCompile(`['"]([^'"]+)['"]: (?:np\.float\d+\()?([-+0-9.eE]+|nan|-?inf)\b`)
)

// plain strips colours and the logger's level, which Flower pads with spaces and colons.
func plain(line string) string {
	line = ansi.ReplaceAllString(line, "")
	if loc := levelPattern.FindStringIndex(line); loc != nil {
		line = line[loc[1]:]
	}
	return line
}

// telling are words of which a line that tells something has one: a flood of other lines costs a glance each.
var telling = []string{"ROUND ", "aggregate_", "MetricRecord", "lobal evaluation", "initial parameters", "fit progress", "History (", "round "}

func (p *parser) line(l logfile.Line) {
	if !slices.ContainsFunc(telling, func(word string) bool { return strings.Contains(l.Text, word) }) {
		return
	}
	text := strings.TrimSpace(plain(l.Text))
	if m := roundPattern.FindStringSubmatch(text); m != nil {
		p.round, _ = strconv.Atoi(m[1])
		if n, err := strconv.Atoi(m[2]); err == nil {
			p.rounds = n
		}
		p.newRound, p.global = true, false
		return
	}
	if m := aggregatePhase.FindStringSubmatch(text); m != nil {
		p.phase, p.global = domain.PhaseTrain, false
		if m[1] == "evaluate" {
			p.phase = domain.PhaseEvaluate
		}
		return
	}
	p.records(text)
	p.legacy(text)
}

func (p *parser) records(text string) {
	switch {
	case text == "Global evaluation":
		p.global = true
	case initialGlobal.MatchString(text):
		p.add(0, domain.PhaseServer, initialGlobal.FindStringSubmatch(text)[1])
	case p.global && globalRecord.MatchString(text):
		p.add(p.round, domain.PhaseServer, globalRecord.FindStringSubmatch(text)[1])
		p.global = false
	case aggregateRecord.MatchString(text) && p.phase != "":
		p.add(p.round, p.phase, aggregateRecord.FindStringSubmatch(text)[1])
	}
}

func (p *parser) legacy(text string) {
	if m := initialLegacy.FindStringSubmatch(text); m != nil {
		p.number(0, domain.PhaseServer, "loss", m[1])
		p.add(0, domain.PhaseServer, m[2])
	} else if m := fitProgress.FindStringSubmatch(text); m != nil {
		round, _ := strconv.Atoi(m[1])
		p.number(round, domain.PhaseServer, "loss", m[2])
		p.add(round, domain.PhaseServer, m[3])
	} else if m := historyHead.FindStringSubmatch(text); m != nil {
		p.history = m[1]
	} else if m := historyRound.FindStringSubmatch(text); m != nil && p.history == "loss, distributed" {
		round, _ := strconv.Atoi(m[1])
		p.number(round, domain.PhaseEvaluate, "loss", m[2])
	}
}

func (p *parser) add(round int, phase domain.Phase, dict string) {
	for _, m := range pair.FindAllStringSubmatch(dict, -1) {
		p.number(round, phase, m[1], m[2])
	}
}

func (p *parser) number(round int, phase domain.Phase, name, text string) {
	text = strings.TrimSpace(text)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && text != "nan" {
		return
	}
	if text == "nan" {
		v = math.NaN()
	}
	name = domain.Cut(name, domain.MaxMetricName)
	if p.kept >= domain.MaxLogMetrics || !p.names[name] && len(p.names) >= domain.MaxMetricNames {
		p.dropped++
		return
	}
	if p.names == nil {
		p.names = map[string]bool{}
	}
	p.names[name] = true
	p.kept++
	p.found = append(p.found, domain.Metric{Round: round, Phase: phase, Name: name, Value: v})
}

// take returns what was found since the last call.
func (p *parser) take() (found []domain.Metric, newRound bool) {
	found, newRound = p.found, p.newRound
	p.found, p.newRound = nil, false
	return found, newRound
}
