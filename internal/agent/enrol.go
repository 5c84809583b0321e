package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// enrol makes the key, proves it and enrols it. The key's file is named after the token, so that a second try after a lost answer
// sends the same key, which the server takes as the same enrolment.
func (j *joining) enrol(ctx context.Context, h home, tok token) (*state, error) {
	ca, err := j.srv.trust(ctx, tok.pin)
	if err != nil {
		return nil, err
	}
	if ca != nil {
		j.say("The server's certificate matches the token.")
	}
	key, made, err := loadOrMakeKey(h.keyFile(tok.public))
	if err != nil {
		return nil, err
	}
	if made {
		j.say("Made a key for this machine: %s (it never leaves it).", h.keyFile(tok.public))
	}
	pub, err := publicPEM(key)
	if err != nil {
		return nil, err
	}
	proof, err := prove(key, tok.public)
	if err != nil {
		return nil, err
	}
	conn, err := connect(j.srv, string(ca), j.clock)
	if err != nil {
		return nil, err
	}
	defer conn.close()
	var got client.Enrolment
	ask := client.Enrol{Token: tok.text, PublicKey: string(pub), Proof: proof}
	if err := j.srv.call(ctx, conn.client(), http.MethodPost, "/agent/enrol", ask, nil, &got); err != nil {
		return nil, enrolWords(err)
	}
	if got.SuperLink == "" || got.Federation.Slug == "" || filepath.Base(got.Federation.Slug) != got.Federation.Slug {
		return nil, domain.Errorf(domain.Unavailable, "The server's answer to the enrolment is not complete.").
			Fix("Check that this blossomtune and the server's have the same version.")
	}
	st := &state{Server: j.srv.base.String(), Pin: tok.pin, TokenID: tok.public, CAPEM: string(ca)}
	st.take(got)
	return st, h.save(st)
}

// take brings the state up to date with the server. Its word on the CA is taken too: it came over a connection that the CA of
// before vouches for. So a machine follows when the CA is replaced, as long as it is there while both are good.
func (st *state) take(e client.Enrolment) {
	if st.CAPEM != "" && e.CAPEM != "" {
		st.CAPEM = e.CAPEM
	}
	if st.Slug == "" { // it never changes, and the owner's rules depend on it
		st.Slug = e.Federation.Slug
	}
	st.Name, st.SuperLink, st.Flwr = e.Federation.Name, e.SuperLink, e.Flwr
	st.Partition, st.NumPartitions = e.Partition, e.NumPartitions
	if e.NodeID != 0 {
		st.NodeID = uint64(e.NodeID)
	}
}

// enrolWords adds a remedy where the server gave none.
func enrolWords(err error) error {
	var e *domain.Error
	if !errors.As(err, &e) || e.Remedy != "" {
		return err
	}
	switch e.Code {
	case domain.Expired, domain.NotFound, domain.Unauthenticated, domain.Invalid:
		return e.Fix("A token works once and for one day. Get a new one on your status page and run the command shown there.")
	case domain.Conflict:
		return e.Fix("Get a new token on your status page: it makes a new key.")
	}
	return e
}

// call does one call of the API below /api/v1; sign may add headers. Errors are [domain.Error] with the server's words.
func (s server) call(ctx context.Context, hc *http.Client, meth, path string, in any, sign func(*http.Request, []byte) error,
	out any) error {
	c := client.Client{Server: s.base.String(), HTTP: hc, Sign: sign}
	err := c.Do(ctx, meth, path, in, out)
	if u, ok := errors.AsType[*client.Unreached](err); ok {
		return s.unreachable(u.Err)
	}
	return err
}

// settle moves a home that was made before the federation was known to its own name. Another home of that name, of an access
// that ended, is kept beside it.
func settle(h home, base string, srv server, st *state, stamp string) (home, error) {
	want := home(filepath.Join(base, srv.name()+"_"+st.Slug))
	if h == want {
		return h, nil
	}
	if _, err := os.Stat(string(want)); err == nil {
		if err := os.Rename(string(want), string(want)+".old-"+stamp); err != nil {
			return "", fmt.Errorf("keeping the old directory: %w", err)
		}
	}
	if err := os.Rename(string(h), string(want)); err != nil {
		return "", fmt.Errorf("naming the directory: %w", err)
	}
	return want, nil
}
