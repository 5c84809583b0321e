package fleet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
)

// slow is a SuperLink of ours that takes a while for each call, and longer the more it does at once.
type slow struct {
	each      time.Duration
	now, most atomic.Int64
}

func (s *slow) For(int64) (string, *tls.Config, bool) { return "", nil, false }
func (s *slow) Builtin(int64) http.RoundTripper       { return s }
func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	select {
	case <-time.After(s.each * time.Duration(n)):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, ContentLength: 0, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// member is a SuperNode that calls the gateway without a network, and repeats calls as flwr 1.42 does.
type member struct {
	g   *Gateway
	key *ecdsa.PrivateKey
	pem []byte
	id  uint64
}

// call makes one call, which a SuperNode gives up after a while.
func (m *member) call(path string, limit time.Duration) (status int, retry string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	body := bodyFor(path, m.id, m.pem, 0)
	r := httptest.NewRequest(http.MethodPost, path, io.NopCloser(bytes.NewReader(body))).WithContext(ctx)
	if r.Header, err = wire.SignHeaders(m.key, time.Now()); err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/protobuf")
	r.ContentLength = int64(len(body))
	r.RemoteAddr = "192.0.2." + strconv.Itoa(int(m.id%250)) + ":1"
	w := httptest.NewRecorder()
	m.g.ServeHTTP(w, r)
	return w.Code, w.Header().Get("Retry-After"), ctx.Err()
}

// persist repeats a call until it succeeds: full jitter, after 1, 2, 4 and up to 20 s. It returns how often it was made.
func (m *member) persist(t *testing.T, path string) int {
	for tries, most := 1, time.Second; ; tries, most = tries+1, min(2*most, 20*time.Second) {
		status, retry, err := m.call(path, 30*time.Second)
		switch {
		case err == nil && status == http.StatusOK:
			return tries
		case err == nil && (status != http.StatusServiceUnavailable || retry == ""):
			t.Errorf("%s: %d with Retry-After %q, which a SuperNode does not repeat", path, status, retry)
			return tries
		}
		<-time.After(rand.N(most))
	}
}

// A storm of 10,000 registrations settles, and costs those who are there already no heartbeat.
func TestAStormSettles(t *testing.T) {
	const comers, there, path = 10_000, 100, "/v1/fleet/activate-node"
	keys := &fakeKeys{keys: map[string]domain.NodeKey{}}
	members := make([]*member, comers+there)
	for i := range members {
		key := newKeyOf(t, elliptic.P256())
		k := enrolled(t, key, uint64(i)+1)
		keys.set(k)
		members[i] = &member{key: key, pem: k.PublicPEM, id: k.NodeID}
	}
	synctest.Test(t, func(t *testing.T) {
		link := &slow{each: 2 * time.Millisecond} // 500 calls a second
		g := New(Options{Keys: keys, Upstreams: link})
		g.started = g.started.Add(-time.Minute)
		for _, m := range members {
			m.g = g
		}
		var left, tries, beats, missed atomic.Int64
		left.Store(comers)
		began := time.Now()
		for _, m := range members[:comers] {
			go func() {
				<-time.After(rand.N(100 * time.Millisecond))
				tries.Add(int64(m.persist(t, path)))
				left.Add(-1)
			}()
		}
		for _, m := range members[comers:] {
			go func() {
				for left.Load() > 0 {
					<-time.After(rand.N(5 * time.Second))
					beats.Add(1)
					if status, _, err := m.call(beat, 5*time.Second); err != nil || status != http.StatusOK {
						missed.Add(1)
					}
				}
			}()
		}
		for left.Load() > 0 && time.Since(began) < 10*time.Minute {
			<-time.After(100 * time.Millisecond)
		}
		took := time.Since(began)
		synctest.Wait()
		t.Logf("%d registrations took %v and %d calls; %d heartbeats, %d missed; at most %d calls at once", comers, took, tries.Load(),
			beats.Load(), missed.Load(), link.most.Load())
		if left.Load() > 0 || took > time.Minute {
			t.Errorf("%d SuperNodes were not registered after %v", left.Load(), took)
		}
		if missed.Load() > 0 || beats.Load() == 0 {
			t.Errorf("%d of %d heartbeats were missed", missed.Load(), beats.Load())
		}
		if link.most.Load() > builtinCalls {
			t.Errorf("%d calls were at work at once", link.most.Load())
		}
		<-time.After(time.Minute) // who still sends heartbeats ends
	})
}

// What is refused for want of room comes back at different times.
func TestRetriesAreSpread(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Calls = 1 })
	f.g.inside.Store(5)
	seen := map[string]bool{}
	for range 40 {
		w := httptest.NewRecorder()
		f.g.ServeHTTP(w, f.request(pull, nil))
		after, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if w.Code != http.StatusServiceUnavailable || err != nil || after < 5 || after > 10 {
			t.Fatalf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		seen[w.Header().Get("Retry-After")] = true
	}
	if len(seen) < 2 {
		t.Errorf("all are told to come back after the same time: %v", seen)
	}
}
