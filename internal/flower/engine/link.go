package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// link speaks to one keeper over its socket.
type link struct {
	dir  string
	http *http.Client
}

func newLink(dir string) *link {
	return &link{dir: dir, http: &http.Client{Transport: &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, dir) },
		IdleConnTimeout: 5 * time.Second,
	}}}
}

func (l *link) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://keeper"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(keyHeader, readSocketKey(l.dir))
	res, err := l.http.Do(req)
	if err != nil {
		return nil, domain.Errorf(domain.Unavailable, "The engine's keeper does not answer.").Because(err)
	}
	if res.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
		_ = res.Body.Close()
		return nil, domain.Errorf(domain.Unavailable, "The engine's keeper refuses: %s.", strings.TrimSpace(string(text)))
	}
	return res, nil
}

// order posts an order and waits for its answer.
func (l *link) order(ctx context.Context, path string, in any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	res, err := l.do(ctx, http.MethodPost, path, in)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

func (l *link) status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var st Status
	res, err := l.do(ctx, http.MethodGet, "/status", nil)
	if err != nil {
		return st, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&st); err != nil {
		return st, fmt.Errorf("reading the keeper's status: %w", err)
	}
	if !l.ofThisDir(ctx, st.Dir) {
		return Status{}, domain.Errorf(domain.Unavailable, "The keeper that answers runs another directory.")
	}
	return st, nil
}

// follow calls each with the keeper's status now and after every change, until the keeper or ctx ends.
func (l *link) follow(ctx context.Context, each func(Status)) error {
	res, err := l.do(ctx, http.MethodGet, "/events", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	dec := json.NewDecoder(res.Body)
	for {
		var st Status
		if err := dec.Decode(&st); err != nil {
			if errors.Is(err, io.EOF) {
				return domain.Errorf(domain.Unavailable, "The engine's keeper has ended.")
			}
			return fmt.Errorf("following the keeper: %w", err)
		}
		each(st)
	}
}
