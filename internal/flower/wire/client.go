package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"blossomtune/internal/domain"

	"google.golang.org/protobuf/proto"
)

const (
	contentType = "application/protobuf"
	maxAnswer   = 64 << 20
	maxError    = 64 << 10
	callTimeout = 30 * time.Second
)

// Error is an error answer of Flower: a HTTP status, and where Flower gives them its own code and words.
type Error struct {
	Status  int
	Code    int // Flower's ApiErrorCode; 0 where none was given
	Message string
}

// Error returns Flower's words.
func (e *Error) Error() string {
	return fmt.Sprintf("flower: HTTP %d, code %d: %s", e.Status, e.Code, e.Message)
}

// Client calls the Control and Runtime APIs of one SuperLink. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client of the SuperLink at host:port, whose certificate roots vouch for.
func NewClient(addr string, roots *x509.CertPool) *Client {
	return &Client{base: "https://" + addr, http: &http.Client{Transport: Transport(roots)}}
}

// Transport returns a transport for a SuperLink on this machine: no proxy from the environment, HTTP/1.1 (uvicorn speaks no
// other), and idle connections given up before uvicorn drops them after five seconds.
func Transport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     3 * time.Second,
		MaxIdleConnsPerHost: 16,
		DisableCompression:  true,
	}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) call(ctx context.Context, path string, in, out proto.Message) error {
	body, err := proto.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	return c.post(ctx, path, nil, body, out)
}

func (c *Client) post(ctx context.Context, path string, header http.Header, body []byte, out proto.Message) error {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	// A POST that failed on an idle connection is never sent twice: StartRun is not idempotent.
	req.GetBody = nil
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", contentType)
	res, err := c.http.Do(req)
	if err != nil {
		return domain.Errorf(domain.Unavailable, "The SuperLink does not answer.").Because(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return ReadError(res)
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return domain.Errorf(domain.Unavailable, "The SuperLink's answer broke off.").Because(err)
	}
	if len(answer) > maxAnswer {
		return domain.Errorf(domain.Internal, "The SuperLink's answer to %s is larger than %d MB.", path, maxAnswer>>20)
	}
	if err := proto.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("decoding the answer to %s: %w", path, err)
	}
	return nil
}

func withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}

// ReadError returns the [*Error] that an answer other than 200 holds. It reads at most 64 KiB of the body and does not close it.
func ReadError(res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxError))
	var said struct {
		Code   int             `json:"code"`
		Detail json.RawMessage `json:"detail"`
		Extra  string          `json:"extra"`
	}
	e := &Error{Status: res.StatusCode, Message: http.StatusText(res.StatusCode)}
	if json.Unmarshal(body, &said) == nil {
		e.Code = said.Code
		var text string
		if json.Unmarshal(said.Detail, &text) == nil && text != "" {
			e.Message = text
		}
		if said.Extra != "" { // what exactly, such as the key of a config that is wrong
			e.Message += " " + said.Extra
		}
	}
	return e
}

// IsStatus reports whether err is Flower's answer with a HTTP status.
func IsStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// Flower's codes that a caller can do something about (flwr 1.42, supercore/error); its HTTP statuses are too coarse to tell
// them, and an answer without a code comes from something else than the API, such as a path that a newer flwr has moved.
const (
	codeRunNotFound  = 16
	codeKeyInUse     = 23
	codeNodeNotFound = 24
)

func hasCode(err error, code int) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// Healthy asks the SuperLink's own health check.
func (c *Client) Healthy(ctx context.Context) error {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/health", nil)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return domain.Errorf(domain.Unavailable, "The SuperLink does not answer.").Because(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxError))
	if res.StatusCode/100 != 2 {
		return &Error{Status: res.StatusCode, Message: "not healthy"}
	}
	return nil
}
