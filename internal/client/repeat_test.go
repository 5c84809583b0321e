package client_test

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/servertest"
)

// lossy carries calls out and loses the first answers.
type lossy struct{ lose, calls atomic.Int64 }

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	l.calls.Add(1)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && l.lose.Add(-1) >= 0 {
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return nil, errors.New("the connection was cut")
	}
	return res, err
}

// A POST whose answer is lost is sent again and carried out once; what was refused is not sent again.
func TestACallIsRepeatedWhenItsAnswerIsLost(t *testing.T) {
	s := servertest.New(t)
	secret, _, err := s.Server.Accounts.CreateToken(t.Context(), domain.System, s.Persons["admin"].ID, "script", domain.ScopeAll, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	wire := &lossy{}
	c := &client.Client{Server: "http://" + s.Server.Addr().String(), Token: secret, HTTP: &http.Client{Transport: wire}}
	in := client.NewFederation{Slug: "third", Name: "Third", Partitions: 3}
	var out client.Federation
	wire.lose.Store(1)
	if err := c.Do(t.Context(), http.MethodPost, "/federations", in, &out); err != nil || out.Slug != "third" || wire.calls.Load() != 2 {
		t.Errorf("after %d calls: %+v, %v", wire.calls.Load(), out, err)
	}
	if err := c.Do(t.Context(), http.MethodPost, "/federations", in, &out); domain.CodeOf(err) != domain.Conflict || wire.calls.Load() != 3 {
		t.Errorf("a name that is taken: %v after %d calls", err, wire.calls.Load())
	}
	wire.lose.Store(100)
	var unreached *client.Unreached
	in.Slug = "fourth"
	if err := c.Do(t.Context(), http.MethodPost, "/federations", in, &out); !errors.As(err, &unreached) || wire.calls.Load() != 6 {
		t.Errorf("no answer ever: %v after %d calls", err, wire.calls.Load())
	}
}
