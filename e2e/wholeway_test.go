package e2e

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"blossomtune/internal/account/provider/providertest"
	"blossomtune/internal/testbrowser"
)

// mailbox is a real SMTP server's mail.
type mailbox struct {
	mu   sync.Mutex
	text []string
}

type delivery struct{ m *mailbox }

func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return delivery{m}, nil }
func (delivery) Reset()                                        {}
func (delivery) Logout() error                                 { return nil }
func (delivery) Mail(string, *smtp.MailOptions) error          { return nil }
func (delivery) Rcpt(string, *smtp.RcptOptions) error          { return nil }
func (d delivery) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.m.text = append(d.m.text, strings.ReplaceAll(strings.ReplaceAll(string(b), "=\r\n", ""), "=3D", "="))
	return err
}

// find waits for a mail that matches and returns the match.
func (m *mailbox) find(t *testing.T, pattern *regexp.Regexp) (found string) {
	t.Helper()
	await(t, 20*time.Second, "a mail with "+pattern.String(), func() (string, bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, text := range m.text {
			if f := pattern.FindString(text); f != "" {
				found = f
			}
		}
		return fmt.Sprintf("%d mails", len(m.text)), found != ""
	})
	return found
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// namespace is a network of a participant's own, with one way out: to this host's side of it.
func namespace(t *testing.T) (name, host string) {
	t.Helper()
	id := os.Getpid() % 200
	name, host = fmt.Sprintf("bt%d", os.Getpid()), fmt.Sprintf("10.213.%d.1", id)
	outside, inside := fmt.Sprintf("bo%d", os.Getpid()%100000), fmt.Sprintf("bi%d", os.Getpid()%100000)
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "del", outside).Run()
		_ = exec.Command("ip", "netns", "del", name).Run()
	})
	for _, args := range [][]string{
		{"netns", "add", name}, {"link", "add", outside, "type", "veth", "peer", "name", inside}, {"link", "set", inside, "netns", name},
		{"addr", "add", host + "/24", "dev", outside}, {"link", "set", outside, "up"},
		{"-n", name, "addr", "add", fmt.Sprintf("10.213.%d.2/24", id), "dev", inside}, {"-n", name, "link", "set", inside, "up"}, {"-n", name, "link", "set", "lo", "up"},
	} {
		if out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("network namespaces are needed: ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	return name, host
}

// proxy is an organisation's HTTP proxy: CONNECT, nothing else. It counts.
func proxy(t *testing.T, addr string) (string, *atomic.Int64) {
	t.Helper()
	return proxyTo(t, addr, "")
}

// proxyTo is a proxy that connects everyone to one server, whatever name they ask for. "" is the one that they name.
func proxyTo(t *testing.T, addr, server string) (string, *atomic.Int64) {
	t.Helper()
	ln, count := listen(t, addr), new(atomic.Int64)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		to, err := net.DialTimeout("tcp", cmp.Or(server, r.Host), 5*time.Second)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		from, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			to.Close()
			return
		}
		count.Add(1)
		// Only now: a client that was answered before would have its first bytes read by the server that is being left.
		_, _ = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(to, from); to.Close() }()
		go func() { _, _ = io.Copy(from, to); from.Close() }()
	})}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close() })
	return "http://" + ln.Addr().String(), count
}

var (
	confirmLink = regexp.MustCompile(`https://[0-9.]+:\d+/verify\?ref=[A-Z0-9-]+&code=[A-Z0-9-]+`)
	statusLink  = regexp.MustCompile(`https://[0-9.]+:\d+/me/fed`)
)

// The whole way, as people go it: in a real browser, with a real OpenID provider and a real SMTP server, from the page to join to a
// real SuperNode online, from another network and through its proxy. It prints the seconds from "approve" to "online".
func TestTheWholeWay(t *testing.T) {
	netns, host := namespace(t)
	_, port, _ := net.SplitHostPort(freeAddr(t))
	public := "https://" + host + ":" + port
	mails, ln := new(mailbox), listen(t, "127.0.0.1:0")
	smtpd := smtp.NewServer(mails)
	go func() { _ = smtpd.Serve(ln) }()
	t.Cleanup(func() { smtpd.Close() })
	_, smtpPort, _ := net.SplitHostPort(ln.Addr().String())
	issuer := providertest.Start(t, public+"/signin/callback/oidc")
	s := startWith(t, 10, "0.0.0.0:"+port, "BLOSSOMTUNE_PUBLIC_URL="+public, "BLOSSOMTUNE_SMTP_HOST=127.0.0.1", "BLOSSOMTUNE_SMTP_PORT="+smtpPort, "BLOSSOMTUNE_SMTP_TLS=none",
		"BLOSSOMTUNE_SMTP_FROM=fl@example.org", "BLOSSOMTUNE_OIDC_ISSUER="+issuer.URL, "BLOSSOMTUNE_OIDC_CLIENT_ID="+providertest.ClientID, "BLOSSOMTUNE_OIDC_CLIENT_SECRET="+providertest.ClientSecret)
	b := testbrowser.New(t)
	b.Do("boss", "cookie", s.url, s.signIn())

	// Ada: an account, an address, a request.
	b.Do("ada", "open", public+"/join/fed", "")
	b.Do("ada", "click", `a[href="/signin/with/oidc"]`, "")
	b.Do("ada", "fill", "input[name=username]", "ada")
	b.Do("ada", "fill", "input[name=password]", providertest.Password)
	b.Do("ada", "click", "button[type=submit], input[type=submit]", "")
	b.Do("ada", "fill", "#message", "CT scans, 4000 of them")
	b.Do("ada", "click", "text=Ask to join", "")
	b.Do("ada", "wait", "text=Enter the code from your e-mail", "")
	b.Do("ada", "open", mails.find(t, confirmLink), "")
	b.Do("ada", "click", "text=Confirm e-mail", "")
	b.Do("ada", "wait", "text=Your request is being reviewed", "")

	b.Do("boss", "open", s.url+"/f/fed/requests", "")
	approved := time.Now()
	b.Do("boss", "click", "#card form[action$='/requests/approve'] button", "")
	b.Do("ada", "click", "form[action='/me/fed/token'] button", "") // her page has changed by itself
	b.Do("ada", "wait", "#join-command-linux", "")
	block := b.Do("ada", "read", "#join-command-linux", "data-secret")
	through, tunnels := proxy(t, host+":0")
	ada := &person{s: s, name: "Ada", home: filepath.Join(s.data, "people", "ada")}
	if err := os.MkdirAll(ada.home, 0o700); err != nil {
		t.Fatal(err)
	}
	// What she pastes into her shell; exec, so that the test ends the program and not the shell alone.
	join := strings.Replace(block, `"$d/blossomtune" join`, `exec "$d/blossomtune" join`, 1) +
		fmt.Sprintf(" --dir '%s' --python-dir '%s' --deps never",
			filepath.Join(ada.home, "agent"), filepath.Join(s.data, "python"))
	ada.run("ip", "netns", "exec", netns, "env", "HOME="+ada.home, "HTTPS_PROXY="+through, "sh", "-c", join)
	ada.online()
	if _, err := os.Stat(filepath.Join(ada.home, ".blossomtune", "bin", "blossomtune")); err != nil {
		t.Error("the program that runs was not downloaded: ", err)
	}
	t.Logf("MEASURED warm: %.1f s from approve to online, by hand of a browser, across a network namespace and a proxy (goal: 5)", time.Since(approved).Seconds())
	b.Do("ada", "wait", "text=Connected", "")
	b.Do("ada", "wait", "text=it goes through "+strings.TrimPrefix(through, "http://"), "")
	if tunnels.Load() == 0 {
		t.Error("nothing went through the proxy")
	}
	mails.find(t, statusLink) // the answer came by mail too
}

// The first time on a machine: Python's environment is made, with nothing of it in any cache. It prints the seconds from "approve" to "online".
func TestTheFirstTimeOnAMachine(t *testing.T) {
	s := start(t, 10)
	p := s.approved("Cold")
	approved := time.Now()
	for _, name := range []string{"UV_CACHE_DIR", "PIP_CACHE_DIR"} {
		t.Setenv(name, filepath.Join(p.home, "cache"))
	}
	var cmd struct{ Token string }
	p.c.must("POST", "/me/requests/"+p.ref+"/token", nil, &cmd)
	p.run(bin(t), "join", s.url, "--token", cmd.Token, "--dir", filepath.Join(p.home, "agent"), "--python-dir", filepath.Join(p.home, "python"), "--deps", "never")
	await(t, 5*time.Minute, "the first start ends", func() (string, bool) {
		n := s.node(p.partition)
		return n.State, n.State == "online"
	})
	t.Logf("MEASURED cold: %.1f s from approve to online, with every package fetched anew (goal: 60)", time.Since(approved).Seconds())
}
