//go:build unix

package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/fleet"
)

const (
	manyViewers = 1000
	beatGap     = 30 * time.Second // between two heartbeats of a SuperNode
	flushes     = 3 * time.Second  // as the gateway does
)

// BenchmarkViewers tells what it costs the server that 1,000 people look at one page of 10,000 SuperNodes, each of which sends a heartbeat
// every 30 s; one goes offline and comes back every second. The baseline is the same without viewers.
func BenchmarkViewers(b *testing.B) {
	onEach(b, func(s *site) { s.fillNodes(1, domain.MaxPartitions) }, func(b *testing.B, s *site) {
		for _, viewers := range []int{0, manyViewers} {
			b.Run(fmt.Sprint(viewers), func(b *testing.B) {
				ctx, stop := context.WithCancel(b.Context())
				var sent atomic.Int64
				var wg sync.WaitGroup
				for i := range viewers {
					wg.Go(func() { s.watch(ctx, i, &sent) })
				}
				wg.Go(func() { s.beat(ctx) })
				<-time.After(2 * flushes) // until the streams have sent the whole page
				before, bytes, began := cpuTime(b), sent.Load(), time.Now()
				for b.Loop() {
					<-time.After(time.Second)
				}
				took := time.Since(began).Seconds()
				b.ReportMetric((cpuTime(b)-before).Seconds()/took, "cores")
				if viewers > 0 {
					b.ReportMetric(float64(sent.Load()-bytes)/took/float64(viewers), "B/s-each")
				}
				stop()
				wg.Wait()
			})
		}
	})
}

// watch follows the page of SuperNodes as one of many.
func (s *site) watch(ctx context.Context, i int, sent *atomic.Int64) {
	handler, err := s.Server.Handler()
	if err != nil {
		s.T.Error(err)
		return
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/f/fed/nodes/events", nil)
	r.RemoteAddr = fmt.Sprintf("192.0.%d.%d:1000", 2+i/250, i%250)
	r.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.Cookies["manager"]})
	handler.ServeHTTP(&counted{header: http.Header{}, sent: sent}, r)
}

// counted is a viewer who reads everything at once.
type counted struct {
	header http.Header
	sent   *atomic.Int64
}

func (c *counted) Header() http.Header              { return c.header }
func (c *counted) WriteHeader(int)                  {}
func (c *counted) Flush()                           {}
func (c *counted) SetWriteDeadline(time.Time) error { return nil }
func (c *counted) Write(p []byte) (int, error)      { c.sent.Add(int64(len(p))); return len(p), nil }

// beat is what the gateway stores of all SuperNodes' heartbeats.
func (s *site) beat(ctx context.Context) {
	rows, err := s.Server.Onboarding.Nodes(ctx, domain.NodeFilter{FederationID: s.Fed.ID, Status: domain.NodeOnline,
		Limit: domain.MaxPartitions})
	if err != nil {
		if ctx.Err() == nil { // the benchmark may end first
			s.T.Error(err)
		}
		return
	}
	flush, flip := time.NewTicker(flushes), time.NewTicker(time.Second)
	defer flush.Stop()
	defer flip.Stop()
	part := int(int64(len(rows)) * int64(flushes) / int64(beatGap))
	for at, n := 0, 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-flip.C:
			k := &rows[n%20].Key // on the first page
			n++
			k.Seen.Online = !k.Seen.Online
			s.Server.Seen.Came(fleet.Seen{Key: *k, Seen: k.Seen})
		case <-flush.C:
			var seen []fleet.Seen
			for i := range part {
				k := &rows[(at+i)%len(rows)].Key
				k.Seen.LastAt, k.Seen.BytesIn = s.Now(), k.Seen.BytesIn+500
				seen = append(seen, fleet.Seen{Key: *k, Seen: k.Seen})
			}
			at += part
			if err := s.Server.Seen.SaveSeen(ctx, seen); err != nil && ctx.Err() == nil {
				s.T.Error(err)
			}
		}
	}
}
