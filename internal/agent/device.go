package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"os"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// deviceToken gets a join token for a terminal that has none: it shows a code, and whoever is signed in enters it in a browser. The
// code's last group says which CA this terminal sees, so that nobody can stand between.
func (j *joining) deviceToken(ctx context.Context) (token, error) {
	pin, ca, srv, err := j.srv.look(ctx)
	if err != nil {
		return token{}, err
	}
	conn, err := connect(srv, string(ca), j.clock)
	if err != nil {
		return token{}, err
	}
	defer conn.close()
	host, _ := os.Hostname() // unnamed is as good
	var asked client.DeviceCode
	if err := srv.call(ctx, conn.client(), http.MethodPost, "/agent/device", client.AskDevice{Host: host}, nil, &asked); err != nil {
		return token{}, err
	}
	shown := asked.Code + "-" + domain.DeviceCheck(asked.Code, pin)
	j.say("This machine has no token yet. Open this page in a browser, signed in with the address that was approved:")
	j.say("")
	j.say("    %s?code=%s", asked.Page, shown)
	j.say("")
	j.say("The code is %s; it works for %d minutes. This command then continues automatically.", shown, asked.Seconds/60)
	tick := time.NewTicker(time.Duration(max(asked.Interval, 1)) * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return token{}, ctx.Err()
		case <-tick.C:
		}
		var got client.DeviceToken
		err := srv.call(ctx, conn.client(), http.MethodPost, "/agent/device/token", client.PollDevice{Secret: asked.Secret}, nil, &got)
		if code := domain.CodeOf(err); code == domain.Unavailable || code == domain.Limited {
			continue // it comes back
		}
		if err != nil {
			return token{}, err
		}
		if got.Token == "" {
			continue
		}
		tok, err := parseToken(got.Token)
		if err == nil && tok.pin != pin {
			err = domain.Errorf(domain.Forbidden, "The token is of another server than the one that this machine sees.").
				Fix("Nothing was enrolled. Check the address.")
		}
		j.srv = srv
		return tok, err
	}
}

// look finds out how this machine sees a server that it knows nothing of: by its own roots, or with a CA of its own, whose pin is
// not trusted yet.
func (s server) look(ctx context.Context) (pin string, ca []byte, srv server, err error) {
	srv = s
	if srv.base.Scheme == "https" {
		hc := newHTTPClient(nil)
		_, status, err := get(ctx, hc, srv.base.JoinPath("/ca.pem").String())
		hc.CloseIdleConnections()
		if err == nil && status == http.StatusNotFound {
			return publicPin, nil, srv, nil
		}
	}
	https := *srv.base
	https.Scheme = "https" // plain HTTP is for this machine only, where the same port speaks TLS
	srv.base = &https
	body, err := srv.fetchCA(ctx)
	if err != nil {
		return "", nil, srv, err
	}
	block, _ := pem.Decode(body)
	if block == nil {
		return "", nil, srv, domain.Errorf(domain.Unavailable, "%s does not answer like a BlossomTune server.", s.base).Fix("Check the address.")
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:]), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes}), srv, nil
}
