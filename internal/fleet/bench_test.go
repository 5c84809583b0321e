package fleet

import (
	"crypto/elliptic"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
)

// BenchmarkGateway tells what the gateway costs over a plain ReverseProxy, measured in the same run: the absolute times depend
// on the machine, their ratio does not.
func BenchmarkGateway(b *testing.B) {
	f := newFixture(b, func(o *Options) { o.RatePerKey, o.BurstPerKey = 1e9, 1e9 })
	u, err := url.Parse(f.up.URL)
	if err != nil {
		b.Fatal(err)
	}
	plain := httptest.NewServer(httputil.NewSingleHostReverseProxy(u))
	defer plain.Close()
	for name, size := range map[string]int{"push-object-5MiB": 5 << 20, "pull-messages": 0} {
		path := "/v1/fleet/pull-messages"
		if size > 0 {
			path = "/v1/fleet/push-object"
		}
		body := bodyFor(path, ownID, nil, size)
		b.Run(name, func(b *testing.B) {
			var direct, gate time.Duration
			at, n := time.Now(), 0
			for b.Loop() {
				at = at.Add(time.Microsecond)
				r := f.signed(f.key, at, path, body)
				p := f.signed(f.key, at, path, body)
				p.URL, _ = url.Parse(plain.URL + path)
				direct += timed(b, p)
				gate += timed(b, r)
				if n++; n%10_000 == 0 { // less than the memory for replays
					f.g.find(fingerprint(b, f.key)).used = replays{}
				}
			}
			b.ReportMetric(float64(gate)/float64(direct), "x-plain-proxy")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkVerification tells what the check of one request's signature costs, by the key's curve.
func BenchmarkVerification(b *testing.B) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		b.Run(curve.Params().Name, func(b *testing.B) {
			now := time.Now()
			h, err := wire.SignHeaders(newKeyOf(b, curve), now)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := wire.VerifyHeaders(h, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func timed(b *testing.B, r *http.Request) time.Duration {
	start := time.Now()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b.Fatal(res.Status)
	}
	return time.Since(start)
}
