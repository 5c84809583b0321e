package domain

import (
	"cmp"
	"strings"
)

// RunColumn is something that runs have a value for: a config key, or a metric of the whole federation.
type RunColumn struct {
	Phase Phase  // of a metric; "" for a config key
	Name  string // the config key, or the metric's name
	Of    Which  // which of a metric's values; "" for a config key
}

// Which says which of a metric's values over the rounds is meant.
type Which string

// Last is the value of the newest round, Lowest and Highest are the best one, by what "best" means for the metric.
const (
	Last    Which = "last"
	Lowest  Which = "min"
	Highest Which = "max"
)

// Metric reports whether the column is a metric's.
func (c RunColumn) Metric() bool { return c.Phase != "" }

// Key is the column as addresses hold it: "config.lr", "evaluate.accuracy.max".
func (c RunColumn) Key() string {
	if !c.Metric() {
		return "config." + c.Name
	}
	return string(c.Phase) + "." + c.Name + "." + string(c.Of)
}

// ParseRunColumn reads what [RunColumn.Key] wrote.
func ParseRunColumn(key string) (RunColumn, bool) {
	first, rest, ok := strings.Cut(key, ".")
	if !ok || rest == "" || len(key) > 300 {
		return RunColumn{}, false
	}
	switch c := (RunColumn{Phase: Phase(first)}); c.Phase {
	case "config":
		return RunColumn{Name: rest}, true
	case PhaseTrain, PhaseEvaluate, PhaseServer, PhaseOther:
		i := strings.LastIndexByte(rest, '.')
		if i < 1 {
			return c, false
		}
		c.Name, c.Of = rest[:i], Which(rest[i+1:])
		return c, c.Of == Last || c.Of == Lowest || c.Of == Highest
	}
	return RunColumn{}, false
}

// RunOrder is what runs are ordered by: one of the words below, or the key of a [RunColumn].
type RunOrder string

// Orders that every run has a value for.
const (
	OrderBegan  RunOrder = "began" // when it was queued
	OrderName   RunOrder = "name"
	OrderRounds RunOrder = "rounds"
	OrderTook   RunOrder = "took"
)

// GroupByTag groups runs by their tags; a run with several tags is in several groups.
const GroupByTag = "tag"

// RunQuery chooses, orders and groups the runs of a federation, and says which columns are wanted.
type RunQuery struct {
	FederationID int64
	States       []RunState
	Search       string // part of name, app, note or a tag, in any case
	Tag          string
	Order        RunOrder // empty: [OrderBegan]
	Ascending    bool
	Group        string // "", [GroupByTag], or the key of a config column
	Columns      []RunColumn
	SeenBy       int64  // a participant: only runs that they may see; 0: all
	Since        int64  // only runs with a larger id: those that came after a page was made
	Limit        int    // 0: 50
	After        string // a cursor that [RunPage.Next] gave
}

// RunCell is a run's value in a column.
type RunCell struct {
	Known bool    // the run has a value there
	Text  string  // of a config key
	Value float64 // of a metric; may be NaN
	Round int     // the round of Value
	Mean  bool    // Value is the participants' mean: the app tells none for the federation
}

// RunRow is one row of a table of runs.
type RunRow struct {
	Run   Run
	Group string // the value it is grouped by; "" for runs that have none
	Cells []RunCell
}

// RunGroup sums a group of runs up.
type RunGroup struct {
	Value string
	Runs  int
	Low   []RunCell // by column, of metrics only: the least and the greatest value in the group
	High  []RunCell
}

// RunPage is a part of a table of runs.
type RunPage struct {
	Rows   []RunRow
	Groups map[string]RunGroup // by value, of a grouped table: those on this page
	Counts map[RunState]int    // of all that Search and Tag choose, whatever their state
	Total  int                 // runs chosen
	Newest int64               // the largest id of any run of the federation
	Next   string              // cursor of the next page; "" at the end
}

// RunChoices is what a federation's runs can be filtered, grouped and shown by.
type RunChoices struct {
	Config  []string
	Metrics []RunColumn // without Of, as the ServerApp's own, then evaluate, train, other; without the weights
	Tags    []string
}

// MetricSummary is a metric's values over the rounds of one run.
type MetricSummary struct {
	EngineRunID                   uint64
	Phase                         Phase
	Name                          string
	Mean                          bool // of the participants' mean
	LastRound, MinRound, MaxRound int
	Last, Min, Max                float64 // NaN where there is none
}

// Cell returns the value that a column shows.
func (m MetricSummary) Cell(of Which) RunCell {
	c := RunCell{Known: true, Value: m.Last, Round: m.LastRound, Mean: m.Mean}
	switch of {
	case Lowest:
		c.Value, c.Round = m.Min, m.MinRound
	case Highest:
		c.Value, c.Round = m.Max, m.MaxRound
	}
	return c
}

// ComparePhases orders phases as pages show them.
func ComparePhases(a, b Phase) int {
	rank := map[Phase]int{PhaseServer: 1, PhaseEvaluate: 2, PhaseTrain: 3, PhaseOther: 4}
	return cmp.Compare(rank[a], rank[b])
}
