//go:build unix

package fleet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/portmux"
)

// envLoad makes this test binary the client of BenchmarkSigned, so that the server's processor time can be told from the client's.
const envLoad = "BLOSSOMTUNE_TEST_LOAD"

func TestMain(m *testing.M) {
	if os.Getenv(envLoad) != "" {
		if err := load(os.Args[1:]); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

// load sends signed heartbeats over some connections, one after another on each. Its arguments: URL, private key, node id, calls, whether
// it binds its connections.
func load(args []string) error {
	der, err := base64.StdEncoding.DecodeString(args[1])
	if err != nil {
		return err
	}
	key, err := x509.ParseECPrivateKey(der)
	if err != nil {
		return err
	}
	id, _ := strconv.ParseUint(args[2], 10, 64)
	calls, _ := strconv.Atoi(args[3])
	const lines = 8
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: lines, MaxConnsPerHost: lines}
	body := bodyFor(beat, id, nil, 0)
	var channels *wire.Channels
	if args[4] == "true" {
		channels = wire.NewChannels(key)
	}
	at := make(chan time.Time)
	go func() {
		defer close(at)
		for t := time.Now().Add(-time.Minute); calls > 0; calls-- {
			t = t.Add(time.Microsecond)
			at <- t
		}
	}()
	failed := make(chan error, lines)
	var wg sync.WaitGroup
	for range lines {
		wg.Go(func() {
			for t := range at {
				if err := heartbeat(tr, args[0], key, t, body, channels); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

func heartbeat(tr http.RoundTripper, base string, key *ecdsa.PrivateKey, at time.Time, body []byte, channels *wire.Channels) error {
	r, err := http.NewRequest(http.MethodPost, base+beat, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if r.Header, err = wire.SignHeaders(key, at); err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/protobuf")
	if channels != nil {
		r = channels.Bind(r)
	}
	res, err := tr.RoundTrip(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", res.Status)
	}
	return nil
}

// BenchmarkSigned tells how many signed requests a core of the server takes a second, counted in processor time of this process: by a
// bare TLS handler that reads the same request, and by the gateway, whose SuperLink answers at once in this process.
func BenchmarkSigned(b *testing.B) {
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write([]byte("answer"))
	})
	for _, c := range []struct {
		name  string
		curve elliptic.Curve
		bare  bool
		bind  bool
	}{
		{"bare", elliptic.P256(), true, false},
		{"gateway-agent-P-256", elliptic.P256(), false, true},
		{"gateway-P-256", elliptic.P256(), false, false},
		{"gateway-P-384", elliptic.P384(), false, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := newFixture(b, func(o *Options) {
				o.RatePerKey, o.BurstPerKey, o.Upstreams = 1e9, 1e9, instant{}
			})
			key := newKeyOf(b, c.curve)
			f.keys.set(enrolled(b, key, ownID))
			h := portmux.Drain(f.g)
			if c.bare {
				h = bare
			}
			der, err := x509.MarshalECPrivateKey(key)
			if err != nil {
				b.Fatal(err)
			}
			load := exec.Command(os.Args[0], "https://"+door(b, h, false), base64.StdEncoding.EncodeToString(der),
				strconv.FormatUint(ownID, 10), strconv.Itoa(b.N), strconv.FormatBool(c.bind))
			load.Env = append(os.Environ(), envLoad+"=1")
			before := processorTime(b)
			if out, err := load.CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
			b.ReportMetric(float64(b.N)/(processorTime(b)-before).Seconds(), "requests/core-s")
		})
	}
}

// instant is a SuperLink of ours that answers at once.
type instant struct{}

func (instant) For(int64) (string, *tls.Config, bool) { return "", nil, false }
func (i instant) Builtin(int64) http.RoundTripper     { return i }
func (instant) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: 6,
		Header: http.Header{"Content-Type": {"application/protobuf"}, "Content-Length": {"6"}},
		Body:   io.NopCloser(bytes.NewReader([]byte("answer")))}, nil
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
