package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"time"

	"blossomtune/internal/domain"
)

// client calls the API as anybody does: with an admin's token, or with the cookie of a signed-in browser.
type client struct {
	base  string
	token string
	http  *http.Client
}

func newClient(base, token string) *client {
	jar, _ := cookiejar.New(nil) // without options it cannot fail
	return &client{base: base + "/api/v1", token: token, http: &http.Client{Timeout: 30 * time.Second, Jar: jar}}
}

// call sends in as JSON and decodes the answer into out; either may be nil.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		var p struct {
			Code            domain.Code
			Message, Remedy string
		}
		if json.Unmarshal(text, &p) != nil || p.Message == "" {
			return fmt.Errorf("%s %s: status %d", method, path, res.StatusCode)
		}
		return &domain.Error{Code: p.Code, Message: p.Message, Remedy: p.Remedy}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// await polls until done says so or has an error.
func await(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
