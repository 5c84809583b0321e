package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"blossomtune/internal/domain"
)

// enrolment is the server's answer to an enrolment, and to a question for the configuration.
type enrolment struct {
	Federation struct {
		Slug string `json:"slug"`
		Name string `json:"name"`
	} `json:"federation"`
	Partition     int    `json:"partition"`
	NumPartitions int    `json:"num_partitions"`
	SuperLink     string `json:"superlink"`
	Flwr          string `json:"flwr_version"`
	NodeID        uint64 `json:"node_id,string"`
	CAPEM         string `json:"ca_pem"`
	Busy          bool   `json:"busy"`      // a run is going on
	Version       string `json:"version"`   // of the server
	Suspended     string `json:"suspended"` // why a manager has suspended the SuperNode
	Runs          []struct {
		ID         uint64 `json:"id,string"`
		Name       string `json:"name"`
		LaunchedBy string `json:"launched_by"`
	} `json:"runs"` // going on
}

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
	var got enrolment
	ask := map[string]string{"token": tok.text, "public_key": string(pub), "proof": proof}
	if err := j.srv.call(ctx, conn.client(), http.MethodPost, "/api/v1/agent/enrol", ask, nil, &got); err != nil {
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
func (st *state) take(e enrolment) {
	if st.CAPEM != "" && e.CAPEM != "" {
		st.CAPEM = e.CAPEM
	}
	if st.Slug == "" { // it never changes, and the owner's rules depend on it
		st.Slug = e.Federation.Slug
	}
	st.Name, st.SuperLink, st.Flwr = e.Federation.Name, e.SuperLink, e.Flwr
	st.Partition, st.NumPartitions = e.Partition, e.NumPartitions
	if e.NodeID != 0 {
		st.NodeID = e.NodeID
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

// problem is the server's error answer.
type problem struct {
	Code    domain.Code `json:"code"`
	Message string      `json:"message"`
	Remedy  string      `json:"remedy"`
	Field   string      `json:"field"`
	Title   string      `json:"title"`
	Detail  string      `json:"detail"`
}

// call does one API call; sign may add headers. Errors are [domain.Error] with the server's words.
func (s server) call(ctx context.Context, hc *http.Client, meth, path string, in any, sign func(*http.Request, []byte) error, out any) error {
	var body []byte
	var err error
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, meth, s.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	if sign != nil {
		if err := sign(req, body); err != nil {
			return err
		}
	}
	res, err := hc.Do(req)
	if err != nil {
		return s.unreachable(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return s.unreachable(err)
	}
	if res.StatusCode/100 != 2 {
		return answerError(res.StatusCode, text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return domain.Errorf(domain.Unavailable, "The server's answer cannot be read.").
			Fix("Check that this blossomtune and the server's have the same version.").Because(err)
	}
	return nil
}

var codeOfStatus = map[int]domain.Code{
	http.StatusUnauthorized: domain.Unauthenticated, http.StatusForbidden: domain.Forbidden, http.StatusNotFound: domain.NotFound,
	http.StatusConflict: domain.Conflict, http.StatusGone: domain.Expired, http.StatusTooManyRequests: domain.Limited,
	http.StatusUnprocessableEntity: domain.Invalid, http.StatusBadRequest: domain.Invalid,
}

func answerError(status int, text []byte) error {
	var p problem
	_ = json.Unmarshal(text, &p) // another server's page leaves it empty, and the status speaks
	code := codeOfStatus[status]
	if code == "" {
		code = domain.Unavailable
	}
	msg := p.Message
	if msg == "" {
		msg = p.Detail
	}
	if msg == "" {
		msg = fmt.Sprintf("The server answers with status %d.", status)
	}
	return &domain.Error{Code: code, Message: msg, Remedy: p.Remedy}
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
