package store_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// manyRuns adds runs with every kind of value that a table can be ordered by.
func manyRuns(t *testing.T, db *store.DB, n int) (domain.Federation, []domain.Run) {
	t.Helper()
	f := federation(t, db)
	app := domain.AppVersion{Hash: "h", Publisher: "p", Name: "n", Version: "1", FAB: []byte("fab"), CreatedAt: now,
		Config: []domain.ConfigKey{{Key: "lr", Kind: domain.KindFloat, Default: 1.0}, {Key: "opt", Kind: domain.KindString, Default: "sgd"}, {Key: "big", Kind: domain.KindInt, Default: int64(7)}, {Key: "on", Kind: domain.KindBool, Default: false}}}
	random := rand.New(rand.NewPCG(3, 4))
	states := []domain.RunState{domain.Completed, domain.Failed, domain.Stopped, domain.Running, domain.Queued}
	var all []domain.Run
	in(t, db, func(tx *store.Tx) error {
		all = nil
		if err := tx.PutAppVersion(ctx, app); err != nil {
			return err
		}
		for i := range n {
			r := domain.Run{FederationID: f.ID, Name: fmt.Sprintf("Run-%d", (i*37)%n), State: states[i%len(states)], AppHash: "h", AppID: "p/n", AppVersion: "1", TotalPartitions: 10, CreatedAt: now, Round: random.IntN(5), Note: fmt.Sprintf("Über %d", i%7),
				Config: map[string]any{}, Tags: [][]string{nil, {"sweep"}, {"sweep", "base"}, {"z"}}[i%4]}
			if i%3 > 0 {
				r.Config["lr"] = float64(random.IntN(4)) / 10
				r.Config["opt"] = []string{"adam", "sgd", "yogi"}[random.IntN(3)]
			}
			if r.State != domain.Queued {
				r.EngineRunID, r.StartingAt = math.MaxUint64-uint64(i), now
				if r.State.Ended() {
					r.EndedAt = now.Add(time.Duration(random.IntN(9)) * time.Second)
				}
			}
			if err := tx.InsertRun(ctx, &r); err != nil {
				return err
			}
			all = append(all, r)
			var ms []domain.Metric
			for round := 1; round <= i%5 && r.EngineRunID != 0; round++ {
				v := []float64{random.NormFloat64(), math.NaN(), math.Inf(1)}[max(random.IntN(12)-9, 0)]
				ms = append(ms, domain.Metric{FederationID: f.ID, EngineRunID: r.EngineRunID, Round: round, Phase: domain.PhaseEvaluate, Name: "acc.top1", Value: v, At: now},
					domain.Metric{FederationID: f.ID, EngineRunID: r.EngineRunID, Round: round, Phase: domain.PhaseTrain, NodeID: 5, Name: "loss", Value: 1, At: now},
					domain.Metric{FederationID: f.ID, EngineRunID: r.EngineRunID, Round: round, Phase: domain.PhaseTrain, NodeID: 6, Name: "loss", Value: float64(round), At: now})
			}
			random.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
			if _, err := tx.InsertMetrics(ctx, ms); err != nil {
				return err
			}
			if r.State.Ended() {
				if err := tx.SummariseMeans(ctx, f.ID, r.EngineRunID); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return f, all
}

var (
	lr      = domain.RunColumn{Name: "lr"}
	opt     = domain.RunColumn{Name: "opt"}
	accBest = domain.RunColumn{Phase: domain.PhaseEvaluate, Name: "acc.top1", Of: domain.Highest}
	accLow  = domain.RunColumn{Phase: domain.PhaseEvaluate, Name: "acc.top1", Of: domain.Lowest}
	accLast = domain.RunColumn{Phase: domain.PhaseEvaluate, Name: "acc.top1", Of: domain.Last}
	lossLow = domain.RunColumn{Phase: domain.PhaseTrain, Name: "loss", Of: domain.Highest}
)

// Page after page, in every order and grouping, each run comes exactly once (once a tag), in its order.
func TestRunsComePageByPageInEveryOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, all := manyRuns(t, db, 83)
		orders := []domain.RunOrder{"", domain.OrderName, domain.OrderRounds, domain.OrderTook, domain.RunOrder(lr.Key()), domain.RunOrder(opt.Key()), domain.RunOrder(accBest.Key()), domain.RunOrder(accLast.Key()), "nonsense"}
		for _, order := range orders {
			for _, asc := range []bool{true, false} {
				for _, group := range []string{"", domain.GroupByTag, lr.Key(), opt.Key()} {
					q := domain.RunQuery{FederationID: f.ID, Order: order, Ascending: asc, Group: group, Limit: 10, Columns: []domain.RunColumn{lr, opt, accBest, accLast}}
					var rows []domain.RunRow
					var total int
					for {
						var page domain.RunPage
						err := db.View(ctx, func(tx *store.Tx) (err error) { page, err = tx.FindRuns(ctx, q, now); return err })
						if err != nil {
							t.Fatal(order, group, err)
						}
						rows, total = append(rows, page.Rows...), page.Total
						if q.After = page.Next; page.Next == "" {
							break
						}
					}
					checkRows(t, fmt.Sprintf("%s asc=%v group=%s", order, asc, group), rows, all, q)
					if total != len(all) {
						t.Errorf("%s: %d in total, want %d", order, total, len(all))
					}
				}
			}
		}
	})
}

func checkRows(t *testing.T, what string, rows []domain.RunRow, all []domain.Run, q domain.RunQuery) {
	t.Helper()
	want := map[string]bool{}
	for _, r := range all {
		tags := r.Tags
		if q.Group != domain.GroupByTag || len(tags) == 0 {
			tags = []string{""}
		}
		for _, tag := range tags {
			want[r.Name+"/"+tag] = true
		}
	}
	for i, row := range rows {
		key := row.Run.Name + "/"
		if q.Group == domain.GroupByTag {
			key += row.Group
		}
		if !want[key] {
			t.Errorf("%s: %s twice, or wrong", what, key)
		}
		delete(want, key)
		if i == 0 || rows[i-1].Group != row.Group {
			continue
		}
		a, b := rows[i-1], row
		if !q.Ascending {
			a, b = b, a
		}
		c := 0
		switch q.Order {
		case domain.OrderName:
			c = cmp.Compare(strings.ToLower(a.Run.Name), strings.ToLower(b.Run.Name))
		case domain.OrderRounds:
			c = cmp.Compare(a.Run.Round, b.Run.Round)
		case domain.RunOrder(lr.Key()):
			c = cmp.Compare(a.Cells[0].Text, b.Cells[0].Text) // one digit each
		case domain.RunOrder(opt.Key()):
			c = cmp.Compare(a.Cells[1].Text, b.Cells[1].Text)
		case domain.RunOrder(accBest.Key()):
			if known(rows[i-1].Cells[2]) && known(row.Cells[2]) {
				c = cmp.Compare(a.Cells[2].Value, b.Cells[2].Value)
			} else if !known(rows[i-1].Cells[2]) && known(row.Cells[2]) {
				t.Errorf("%s: what has no value is not last", what)
			}
		case "", "nonsense":
			c = cmp.Compare(a.Run.ID, b.Run.ID)
		}
		if c > 0 {
			t.Errorf("%s: %s before %s", what, rows[i-1].Run.Name, row.Run.Name)
		}
	}
	if len(want) > 0 {
		t.Errorf("%s: missing %v", what, want)
	}
}

func known(c domain.RunCell) bool { return c.Known && !math.IsNaN(c.Value) }

// The summary of a run's metrics, kept value by value in any order, is that of all its values.
func TestSummariesEqualTheMetrics(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, all := manyRuns(t, db, 60)
		check := func(t *testing.T) {
			t.Helper()
			err := db.View(ctx, func(tx *store.Tx) error {
				page, err := tx.FindRuns(ctx, domain.RunQuery{FederationID: f.ID, Limit: 100, Columns: []domain.RunColumn{accLast, accLow, accBest, lossLow}}, now)
				if err != nil || len(page.Rows) != len(all) {
					t.Fatal(len(page.Rows), err)
				}
				for _, row := range page.Rows {
					ms, err := tx.Metrics(ctx, f.ID, row.Run.EngineRunID, 0, 0)
					if err != nil {
						return err
					}
					checkSummary(t, row, ms)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		check(t)
		before := choices(t, db, f.ID)
		err := db.Again(ctx, "20261124220700_run_table.sql", "DROP INDEX run_by_federation", "DROP INDEX metric_whole", "DROP TABLE metric_summary", "DROP TABLE run_param", "DROP TABLE run_column", "DROP TABLE run_tag", "DROP TABLE run_search")
		if err != nil {
			t.Fatal(err)
		}
		in(t, db, func(tx *store.Tx) error { // what the migration leaves to the end of a run
			for _, r := range all {
				if r.State.Ended() {
					if err := tx.SummariseMeans(ctx, f.ID, r.EngineRunID); err != nil {
						return err
					}
				}
			}
			return nil
		})
		check(t)
		if d := gocmp.Diff(before, choices(t, db, f.ID)); d != "" {
			t.Error("the migration makes other columns than new runs:", d)
		}
	})
}

func choices(t *testing.T, db *store.DB, fedID int64) (out domain.RunChoices) {
	t.Helper()
	if err := db.View(ctx, func(tx *store.Tx) (err error) { out, err = tx.RunChoices(ctx, fedID, 0); return err }); err != nil {
		t.Fatal(err)
	}
	if len(out.Config) != 4 || len(out.Metrics) != 2 || len(out.Tags) != 3 {
		t.Errorf("%+v", out)
	}
	return out
}

func checkSummary(t *testing.T, row domain.RunRow, ms []domain.Metric) {
	t.Helper()
	want := make([]domain.RunCell, 4)
	nan := domain.RunCell{Known: true, Value: math.NaN()}
	slices.SortFunc(ms, func(a, b domain.Metric) int { return cmp.Compare(a.Round, b.Round) })
	for _, m := range ms {
		if m.NodeID != 0 {
			if row.Run.State.Ended() && m.NodeID == 6 {
				want[3] = domain.RunCell{Known: true, Value: (1 + m.Value) / 2, Round: m.Round, Mean: true}
			}
			continue
		}
		want[0] = domain.RunCell{Known: true, Value: m.Value, Round: m.Round}
		for i, better := range map[int]func(a, b float64) bool{1: func(a, b float64) bool { return a < b }, 2: func(a, b float64) bool { return a > b }} {
			if !want[i].Known {
				want[i] = nan
			}
			if !math.IsNaN(m.Value) && (math.IsNaN(want[i].Value) || better(m.Value, want[i].Value)) {
				want[i] = domain.RunCell{Known: true, Value: m.Value, Round: m.Round}
			}
		}
	}
	same := cmpopts.EquateNaNs()
	for i := range want {
		if got := row.Cells[i]; math.IsNaN(want[i].Value) {
			got.Round = want[i].Round
			if d := gocmp.Diff(want[i], got, same); d != "" {
				t.Error(row.Run.Name, i, d)
			}
		} else if d := gocmp.Diff(want[i], got, same); d != "" {
			t.Error(row.Run.Name, i, d)
		}
	}
}

func TestRunsAreFilteredAndCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, all := manyRuns(t, db, 40)
		find := func(q domain.RunQuery) (page domain.RunPage) {
			q.FederationID, q.Limit = f.ID, 100
			if err := db.View(ctx, func(tx *store.Tx) (err error) { page, err = tx.FindRuns(ctx, q, now); return err }); err != nil {
				t.Fatal(err)
			}
			return page
		}
		if p := find(domain.RunQuery{Search: "ÜBER 3"}); p.Total != 6 || len(p.Rows) != 6 {
			t.Errorf("search finds %d", p.Total)
		}
		if p := find(domain.RunQuery{Search: "100%_"}); p.Total != 0 {
			t.Error("a search takes % for a wildcard")
		}
		if p := find(domain.RunQuery{Tag: "sweep", States: []domain.RunState{domain.Failed}}); p.Total != 4 || p.Counts[domain.Completed] != 4 {
			t.Errorf("%d with the tag, %v", p.Total, p.Counts)
		}
		p := find(domain.RunQuery{Group: domain.GroupByTag, Columns: []domain.RunColumn{lr, accBest}})
		if g := p.Groups["base"]; g.Runs != 10 || g.High[0].Known || !g.High[1].Known || g.High[1].Value < g.Low[1].Value {
			t.Errorf("%+v", p.Groups)
		}
		changed := all[0]
		changed.Tags, changed.Note = []string{"new"}, "Other words"
		in(t, db, func(tx *store.Tx) error { return tx.DescribeRun(ctx, changed) })
		if p := find(domain.RunQuery{Tag: "new", Search: "other WORDS"}); len(p.Rows) != 1 || p.Rows[0].Run.Note != "Other words" {
			t.Errorf("%+v", p.Rows)
		}
	})
}
