package demo

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"time"

	"blossomtune/internal/client"
)

// newClient calls the API as anybody does: with an admin's token, or with the cookie of a signed-in browser.
func newClient(base, token string) *client.Client {
	jar, _ := cookiejar.New(nil) // without options it cannot fail
	return &client.Client{Server: base, Token: token, HTTP: &http.Client{Timeout: 30 * time.Second, Jar: jar}}
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
