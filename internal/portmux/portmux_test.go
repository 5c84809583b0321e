package portmux

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/tlsca"
)

func TestOnePortTwoProtocols(t *testing.T) {
	addr, client := serve(t, Options{})
	for url, want := range map[string]string{"http://" + addr: "plain HTTP/1.1", "https://" + addr: "tls HTTP/2.0"} {
		if got := get(t, client, url); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestPlainHTTPFromElsewhereIsTold(t *testing.T) {
	addr, client := serve(t, Options{Plain: func(net.Addr) bool { return false }})
	res, err := client.Post("http://"+addr+"/v1/fleet/activate-node", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusUpgradeRequired || !strings.Contains(string(body), "https://") {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if got := get(t, client, "https://"+addr); got != "tls HTTP/2.0" {
		t.Fatalf("TLS: %q", got)
	}
}

func TestSilentClientsAreCutAndBlockNobody(t *testing.T) {
	addr, client := serve(t, Options{FirstByte: 50 * time.Millisecond})
	var silent []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	for _, c := range silent {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("a silent client was not cut: %v", err)
		}
	}
	if got := get(t, client, "http://"+addr); got != "plain HTTP/1.1" {
		t.Fatalf("after silent clients: %q", got)
	}
}

func TestCloseEndsAcceptAndUndecidedConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(inner, Options{})
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	done := make(chan error, 1)
	go func() { _, err := l.Accept(); done <- err }()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("Accept: %v", err)
	}
}

func TestLoopback(t *testing.T) {
	for ip, want := range map[string]bool{"127.0.0.1": true, "::1": true, "192.0.2.1": false, "0.0.0.0": false} {
		if got := Loopback(&net.TCPAddr{IP: net.ParseIP(ip)}); got != want {
			t.Errorf("%s: %v", ip, got)
		}
	}
}

func serve(t *testing.T, o Options) (addr string, client *http.Client) {
	t.Helper()
	ca, err := tlsca.Open(tlsca.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.TLS = ca.TLSConfig()
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		word := "plain "
		if r.TLS != nil {
			word = "tls "
		}
		_, _ = io.WriteString(w, word+r.Proto)
	})}
	Limit(s)
	l := New(inner, o)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return inner.Addr().String(), &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return string(b)
}
