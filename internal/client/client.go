// Package client is the one Go client of /api/v1: its request and answer types, which the server's API uses too, and an HTTP client. It is
// for the agent, the command line, the demo and tests, so it knows no part of the server.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// DecimalID is an id of Flower's. It may be larger than the numbers that JSON readers hold exactly, so it travels as a text of digits:
// a field of this type has the option string in its json tag.
type DecimalID uint64

// Prefix is the path below which the API is.
const Prefix = "/api/v1"

// maxAnswer bounds JSON answers, in bytes.
const maxAnswer = 32 << 20

// Client calls one server. It is safe for concurrent use as long as its fields do not change.
type Client struct {
	Server string                            // its address, such as https://fl.example.org
	Token  string                            // an API token; empty where a cookie or Sign says who calls
	HTTP   *http.Client                      // nil: http.DefaultClient
	Sign   func(*http.Request, []byte) error // may add headers to a request, whose body it is given
	Agent  string                            // the User-Agent; may be empty
}

// Unreached is the error of a call that got no answer, or only a part of one.
type Unreached struct{ Err error }

// Error says what happened.
func (u *Unreached) Error() string { return "the server was not reached: " + u.Err.Error() }

// Unwrap returns the cause.
func (u *Unreached) Unwrap() error { return u.Err }

// Path fills a path of the API such as "/runs/%s/log"; each text in it is escaped.
func Path(format string, args ...any) string {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = url.PathEscape(s)
		}
	}
	return fmt.Sprintf(format, args...)
}

// Do calls an operation. The path is that below [Prefix]. A body that is not nil is sent as JSON; the answer is decoded into out, unless
// that is nil. An error answer is returned as a [domain.Error] with the server's words, or as [domain.Errors] where it has several; no answer
// as [Unreached]. A POST with a token is sent again when no answer came: the server carries it out once.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	var err error
	header := http.Header{"Accept": {"application/json"}}
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return err
		}
		header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost && c.Token != "" {
		header.Set("Idempotency-Key", rand.Text())
		return repeat(ctx, func() error { return c.decode(ctx, method, path, header, body, out) })
	}
	return c.decode(ctx, method, path, header, body, out)
}

// repeatAfter is when a call without an answer is sent again.
var repeatAfter = []time.Duration{500 * time.Millisecond, 2 * time.Second}

// repeat calls until there is an answer, or three times.
func repeat(ctx context.Context, call func() error) error {
	err := call()
	for i, wait := range repeatAfter {
		var unreached *Unreached
		busy := i > 0 && domain.CodeOf(err) == domain.Conflict // the server may still be carrying out the first one
		if !errors.As(err, &unreached) && !busy {
			break
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		err = call()
	}
	return err
}

// Upload sends a file with POST and decodes the answer into out.
func (c *Client) Upload(ctx context.Context, path string, file []byte, out any) error {
	return c.decode(ctx, http.MethodPost, path, http.Header{"Accept": {"application/json"}, "Content-Type": {"application/octet-stream"}},
		file, out)
}

// Open starts a download, from a byte on where offset is not 0. The caller closes the body. Whether the server sends only the part that was
// asked for is known by the status 206.
func (c *Client) Open(ctx context.Context, path string, offset int64) (*http.Response, error) {
	header := http.Header{}
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	return c.send(ctx, http.MethodGet, path, header, nil)
}

func (c *Client) decode(ctx context.Context, method, path string, header http.Header, body []byte, out any) error {
	res, err := c.send(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return &Unreached{err}
	}
	if out == nil || len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return domain.Errorf(domain.Unavailable, "The server's answer cannot be read.").
			Fix("Check that this blossomtune and the server's have the same version.").Because(err)
	}
	return nil
}

// send returns an answer whose status says that the call succeeded.
func (c *Client) send(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.Server, "/")+Prefix+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header
	if c.Token != "" {
		header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.Agent != "" {
		header.Set("User-Agent", c.Agent)
	}
	if c.Sign != nil {
		if err := c.Sign(req, body); err != nil {
			return nil, err
		}
	}
	hc := c.HTTP
	if hc == nil {
		hc = http.DefaultClient
	}
	res, err := hc.Do(req)
	if err != nil {
		return nil, &Unreached{err}
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, &Unreached{err}
	}
	return nil, ErrorOf(res.StatusCode, text)
}

// ErrorOf returns an error answer as the error that the server had.
func ErrorOf(status int, text []byte) error {
	var p struct {
		Problem
		Title, Detail string // of a server in between
	}
	if json.Unmarshal(text, &p) != nil || p.Status != 0 && p.Status != status {
		p.Problem = Problem{}
	}
	if len(p.Errors) > 1 {
		var all domain.Errors
		for _, e := range p.Errors {
			all = append(all, e.domain(status))
		}
		return all
	}
	if p.Message == "" {
		p.Message = p.Detail
	}
	return p.domain(status)
}

func (p *Problem) domain(status int) *domain.Error {
	e := &domain.Error{Code: domain.CodeOfStatus(status), Message: p.Message, Remedy: p.Remedy, Field: p.Field}
	if e.Message == "" {
		e.Message = fmt.Sprintf("The server answers with status %d.", status)
	}
	return e
}
