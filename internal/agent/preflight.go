package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
)

// Finding is one line of a check: what was looked at, what was found, and what to do where it is not right.
type Finding struct {
	Name   string
	Good   bool
	Found  string
	Remedy string // where it is not good
}

// Preflight checks whether this machine can join the server at an address, without any token: name, way, certificate, clock and
// Python. It changes nothing here or there. Each finding is told as it comes; the result says whether all are good.
func Preflight(ctx context.Context, o Options) (bool, error) {
	j, _, err := prepare(o)
	if err != nil {
		return false, err
	}
	all := true
	tell := func(f Finding) {
		mark := "ok  "
		if !f.Good {
			mark, all = "FAIL", false
		}
		j.say("%s  %-12s %s", mark, f.Name, f.Found)
		if !f.Good {
			j.say("      %-12s → %s", "", f.Remedy)
		}
	}
	j.preflight(ctx, tell)
	return all, nil
}

func (j *joining) preflight(ctx context.Context, tell func(Finding)) {
	tell(j.checkName(ctx))
	tell(j.checkProxy(ctx))
	pin, ca, srv, err := j.srv.look(ctx)
	if err != nil {
		tell(bad("connection", err))
	} else {
		tell(Finding{Name: "connection", Good: true, Found: fmt.Sprintf("outgoing TCP to %s is open", portOf(srv))})
		tell(j.checkTLS(ctx, srv, pin, ca))
		tell(j.checkClock())
		tell(j.checkVersion(ctx, srv, ca))
	}
	tell(j.checkPython(ctx))
}

// bad makes a finding of an error's cause and remedy.
func bad(name string, err error) Finding {
	f := Finding{Name: name, Found: err.Error(), Remedy: "Run the check again."}
	var d *domain.Error
	if errors.As(err, &d) {
		f.Found = d.Message
		if d.Remedy != "" {
			f.Remedy = d.Remedy
		}
	}
	return f
}

func (j *joining) checkName(ctx context.Context) Finding {
	host := j.srv.base.Hostname()
	if u, err := http.ProxyFromEnvironment(&http.Request{URL: j.srv.base}); err == nil && u != nil {
		return Finding{Name: "name", Good: true, Found: host + " is looked up by the proxy"}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return Finding{Name: "name", Found: host + " has no address here",
			Remedy: "Check the spelling; else ask your network's administrator for DNS, or the way through a proxy (HTTPS_PROXY)."}
	}
	return Finding{Name: "name", Good: true, Found: host + " is " + addrs[0]}
}

func (j *joining) checkProxy(ctx context.Context) Finding {
	u, err := http.ProxyFromEnvironment(&http.Request{URL: j.srv.base})
	switch {
	case err != nil:
		return Finding{Name: "proxy", Found: "HTTPS_PROXY is not an address", Remedy: "Set it like http://proxy.example.org:3128, or unset it."}
	case u != nil:
		dialer := net.Dialer{Timeout: 10 * time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", j.srv.proxy())
		if err != nil {
			return bad("proxy", proxyAway(u.Host).Because(err))
		}
		_ = conn.Close()
		return Finding{Name: "proxy", Good: true, Found: u.Host + " (from HTTPS_PROXY)"}
	}
	return Finding{Name: "proxy", Good: true, Found: "none is used"}
}

func (j *joining) checkTLS(ctx context.Context, srv server, pin string, ca []byte) Finding {
	conn, err := connect(srv, string(ca), j.clock)
	if err == nil {
		defer conn.close()
		_, _, err = get(ctx, conn.client(), srv.base.JoinPath("/healthz").String())
	}
	if err != nil {
		return bad("certificate", srv.unreachable(err))
	}
	if pin == publicPin {
		return Finding{Name: "certificate", Good: true, Found: "is trusted by this machine"}
	}
	return Finding{Name: "certificate", Good: true, Found: "of the server's own CA, SHA-256 " + pin[:16] + "…: the token checks all of it"}
}

func (j *joining) checkClock() Finding {
	d := j.clock.ahead()
	if d == 0 {
		return Finding{Name: "clock", Good: true, Found: "agrees with the server's"}
	}
	return Finding{Name: "clock", Good: true, Found: fmt.Sprintf("is %s off; that is allowed for, setting it right is better", d.Abs())}
}

func (j *joining) checkVersion(ctx context.Context, srv server, ca []byte) Finding {
	conn, err := connect(srv, string(ca), j.clock)
	if err != nil {
		return bad("version", err)
	}
	defer conn.close()
	var got client.About
	if err := srv.call(ctx, conn.client(), http.MethodGet, "/agent/about", nil, nil, &got); err != nil {
		return bad("version", err)
	}
	if got.Flwr != python.FlwrVersion {
		return Finding{Name: "version", Found: fmt.Sprintf("the server runs flwr %s, this blossomtune brings %s", got.Flwr, python.FlwrVersion),
			Remedy: "Get the blossomtune of the server's version, " + got.Version + "."}
	}
	return Finding{Name: "version", Good: true, Found: "flwr " + got.Flwr + " here and there"}
}

func (j *joining) checkPython(ctx context.Context) Finding {
	path, version, err := python.Find(ctx, j.o.Python)
	if err != nil {
		return bad("python", err)
	}
	found := fmt.Sprintf("%s at %s", version, path)
	if uv, err := exec.LookPath("uv"); err == nil {
		found += ", with " + uv
	}
	return Finding{Name: "python", Good: true, Found: found + " (" + runtime.GOOS + "/" + runtime.GOARCH + ")"}
}
