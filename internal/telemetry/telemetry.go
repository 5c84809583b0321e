// Package telemetry gives the product's own numbers to Prometheus: runs, SuperNodes, requests to join, mail and SuperLinks, read when they
// are asked for. What is counted where it happens (requests, panics, the gateway) is there too, in the default registry.
package telemetry

import (
	"context"
	"net/http"
	"time"

	"blossomtune/internal/domain"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapeLimit bounds the queries of one scrape.
const scrapeLimit = 5 * time.Second

// Options are where the numbers come from.
type Options struct {
	Tally      func(ctx context.Context) (domain.Tally, error)
	SuperLinks func(ctx context.Context) (map[string]domain.SuperLink, error) // by the federation's slug
	Backups    func(ctx context.Context) (domain.BackupState, error)
	Clock      domain.Clock
	Version    string
	Flwr       string
}

// Handler returns what /metrics answers. Each server has its own.
func Handler(o Options) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{o})
	return promhttp.HandlerFor(prometheus.Gatherers{prometheus.DefaultGatherer, registry}, promhttp.HandlerOpts{})
}

type collector struct{ o Options }

var (
	build = prometheus.NewDesc("blossomtune_build_info", "1, with the versions of the server and of Flower.",
		[]string{"version", "flwr"}, nil)
	databaseUp   = prometheus.NewDesc("blossomtune_database_up", "1 if the database answered this scrape.", nil, nil)
	runs         = prometheus.NewDesc("blossomtune_runs", "Runs, by state.", []string{"state"}, nil)
	nodes        = prometheus.NewDesc("blossomtune_supernodes", "SuperNodes with an enrolled key, by status.", []string{"status"}, nil)
	requests     = prometheus.NewDesc("blossomtune_join_requests", "Requests to join, by state.", []string{"state"}, nil)
	mails        = prometheus.NewDesc("blossomtune_mails", "Mails in the outbox, by state.", []string{"state"}, nil)
	superLinks   = prometheus.NewDesc("blossomtune_superlinks", "SuperLinks, by state.", []string{"state"}, nil)
	restartTotal = prometheus.NewDesc("blossomtune_superlink_restarts_total", "Restarts of a federation's SuperLink since its keeper started.",
		[]string{"federation"}, nil)
	backupLast = prometheus.NewDesc("blossomtune_backup_last_success_timestamp_seconds",
		"When the newest backup that succeeded was complete, 0 if none has.", nil, nil)
	backupProblem = prometheus.NewDesc("blossomtune_backup_needs_attention", "1 if scheduled backups fail or are overdue.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{build, databaseUp, runs, nodes, requests, mails, superLinks, restartTotal, backupLast, backupProblem} {
		out <- d
	}
}

// Collect implements [prometheus.Collector]. Every state is there, also with 0, so that an alert rule can rely on it.
func (c collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(build, 1, c.o.Version, c.o.Flwr)
	tally, err := c.o.Tally(ctx)
	if err != nil {
		gauge(databaseUp, 0)
		return
	}
	gauge(databaseUp, 1)
	all(tally.Runs, []domain.RunState{domain.Queued, domain.Starting, domain.Running, domain.Completed, domain.Failed, domain.Stopped},
		func(v float64, state string) { gauge(runs, v, state) })
	all(tally.Nodes, []domain.NodeStatus{domain.NodeOnline, domain.NodeStuck, domain.NodeOffline, domain.NodeSuspended, domain.NodeNeverSeen},
		func(v float64, status string) { gauge(nodes, v, status) })
	all(tally.Requests, []domain.RequestState{domain.Pending, domain.Approved}, func(v float64, state string) { gauge(requests, v, state) })
	all(tally.Mails, []domain.MailState{domain.MailQueued, domain.MailHeld, domain.MailDead},
		func(v float64, state string) { gauge(mails, v, state) })
	if b, err := c.o.Backups(ctx); err == nil {
		gauge(backupLast, seconds(b.LastGood.EndedAt))
		cause, _ := b.Problem(c.o.Clock())
		gauge(backupProblem, map[bool]float64{true: 1}[cause != ""])
	}
	links, err := c.o.SuperLinks(ctx)
	if err != nil {
		return
	}
	byState := map[string]int{}
	for fed, s := range links {
		byState[string(s.State)]++
		out <- prometheus.MustNewConstMetric(restartTotal, prometheus.CounterValue, float64(s.Restarts), fed)
	}
	all(byState, []domain.SuperLinkState{domain.SuperLinkStopped, domain.SuperLinkStarting, domain.SuperLinkUp, domain.SuperLinkRestarting,
		domain.SuperLinkUnreachable, domain.SuperLinkFailed}, func(v float64, state string) { gauge(superLinks, v, state) })
}

// seconds is a moment in Unix time, 0 for the zero time.
func seconds(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.UnixMilli()) / 1000
}

// all emits each count, and 0 for states of which there is none.
func all[S ~string](counts map[string]int, states []S, emit func(v float64, state string)) {
	emitted := map[string]bool{}
	for _, s := range states {
		emitted[string(s)] = true
		emit(float64(counts[string(s)]), string(s))
	}
	for s, n := range counts {
		if !emitted[s] {
			emit(float64(n), s)
		}
	}
}
