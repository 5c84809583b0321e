package conformance

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/testflwr"

	"golang.org/x/crypto/ssh"
)

// clients are real SuperNodes and ServerApps of one engine.
type clients struct {
	t   *testing.T
	rec *recorder
	dir string
	to  string // host:port
	ca  string
}

func newClients(t *testing.T, e *engine) *clients {
	c := &clients{t: t, rec: &recorder{e: e, n: newNames(), who: map[string]string{}, listed: map[string]bool{}}, dir: t.TempDir()}
	srv := c.rec.serve(t)
	c.to, c.ca = strings.TrimPrefix(srv.URL, "https://"), filepath.Join(c.dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	check(t, os.WriteFile(c.ca, text, 0o600))
	return c
}

// node starts a stock flower-supernode that ends with the test.
func (c *clients) node(partition int) {
	c.t.Helper()
	key, name := newKey(c.t), fmt.Sprint("node-", partition)
	c.rec.n.id(c.rec.e.register(key), name)
	c.rec.mu.Lock()
	c.rec.who[base64.StdEncoding.EncodeToString(publicPEM(c.t, key))] = name
	c.rec.mu.Unlock()
	block, err := ssh.MarshalPrivateKey(key, "")
	check(c.t, err)
	file := filepath.Join(c.dir, name)
	check(c.t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	cmd := c.program(name, "flower-supernode", "--superlink", c.to, "--root-certificates", c.ca, "--auth-supernode-private-key", file,
		"--node-config", domain.NodeConfig(partition, 2), "--port", strconv.Itoa(freePort(c.t)))
	log, err := os.Create(file + ".log")
	check(c.t, err)
	cmd.Stdout, cmd.Stderr = log, log
	check(c.t, cmd.Start())
	c.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		timer := time.AfterFunc(15*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			c.t.Error(err)
		}
		_ = log.Close()
		if said, err := os.ReadFile(log.Name()); c.t.Failed() && err == nil {
			c.t.Logf("%s: %s", name, said[max(0, len(said)-3000):])
		}
	})
}

func (c *clients) program(home, name string, args ...string) *exec.Cmd {
	env := testflwr.Venv(c.t)
	cmd := exec.CommandContext(context.Background(), env.Bin(name), args...)
	cmd.Dir, cmd.Env = c.dir, env.Environ(filepath.Join(c.dir, home+"-home"))
	return cmd
}

// serverApp runs a real flwr-serverapp to its end and returns what it printed.
func (c *clients) serverApp(b bundle, config map[string]any) string {
	c.t.Helper()
	run, token := c.rec.e.start(b, config)
	c.rec.n.id(run, "run")
	file := filepath.Join(c.dir, fmt.Sprint("token-", run))
	check(c.t, os.WriteFile(file, []byte(token), 0o600))
	cmd := c.program("serverapp", "flwr-serverapp", "--runtime-api-address", c.to, "--root-certificates", c.ca, "--token-file", file)
	timer := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Errorf("flwr-serverapp: %v\n%s", err, out)
	}
	return string(out)
}

func (c *clients) until(what string, so func() bool) {
	c.t.Helper()
	limit, tick := time.After(2*time.Minute), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-limit:
			c.t.Fatal(what)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// exchange is what passed between an engine and its clients in the runs of some apps.
type exchange struct {
	nodes [2][]string
	app   []string
	log   []string
}

var (
	colour  = regexp.MustCompile("\x1b\\[[0-9;]*m")
	clock   = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,\d]*|\b\d+\.\d+ ?s(econds)?\b`)
	number  = regexp.MustCompile(`\b\d{15,20}\b`)
	elapsed = regexp.MustCompile(`\b\d+\.\d{2}s`)
)

// logLines are the lines of a ServerApp's output without times and IDs, sorted: replies come in any order.
func (c *clients) logLines(text string) (out []string) {
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(line, c.dir, "DIR")
		line = clock.ReplaceAllString(colour.ReplaceAllString(strings.TrimSpace(line), ""), "TIME")
		line = number.ReplaceAllStringFunc(elapsed.ReplaceAllString(line, "TIME"), func(s string) string {
			id, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				return s
			}
			return c.rec.n.number("", id)
		})
		if line != "" {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// play lets two stock SuperNodes and unmodified ServerApps run the apps on an engine.
func play(t *testing.T, e *engine, apps map[string]bundle) map[string]exchange {
	c, out := newClients(t, e), map[string]exchange{}
	c.node(0)
	c.node(1)
	c.until("both SuperNodes poll", func() bool { return c.rec.count("pull-messages") >= 2 && c.rec.count("activate-node") == 2 })
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		text := c.serverApp(apps[name], map[string]any{"num-server-rounds": int64(1)})
		calls := c.rec.take(t)
		out[name] = exchange{nodes: [2][]string{c.rec.ofNode(calls, "node-0"), c.rec.ofNode(calls, "node-1")}, app: c.rec.ofApp(calls),
			log: c.logLines(text)}
	}
	return out
}

// The same real clients, two stock flower-supernodes and unmodified ServerApps of the newer and of the older API, say the same to Flower's
// SuperLink and to ours and hear the same: calls, order, status, fields and the bytes of every object. Their logs are the same too.
func TestTheSameExchanges(t *testing.T) {
	apps := map[string]bundle{}
	for _, name := range []string{"old_api", "steady"} {
		fab, err := testflwr.Venv(t).BuildFAB(t.Context(), filepath.Join(testflwr.Root(t), "e2e", "apps", name))
		check(t, err)
		apps[name] = bundle{fab, "blossomtune/fault-" + strings.ReplaceAll(name, "_", "-"), "1.0.0"}
	}
	got := [2]map[string]exchange{}
	t.Run("play", func(t *testing.T) {
		for i, make := range []func(t *testing.T) *engine{flowers, func(t *testing.T) *engine { return ours(t, 5*time.Second) }} {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				got[i] = play(t, make(t), apps)
			})
		}
	})
	for name := range apps {
		theirs, own := got[0][name], got[1][name]
		kept := 0
		for _, lines := range [][]string{own.nodes[0], own.nodes[1], own.app} {
			for i, line := range lines {
				if isReply(line) || strings.HasPrefix(line, "pull-messages ") {
					lines[i] = taskIDs.ReplaceAllString(line, "")
					kept += len(line) - len(lines[i])
				}
			}
		}
		if kept == 0 {
			t.Error("our SuperLink does not keep the IDs of tasks in messages any more")
		}
		compare(t, name+": node-0", theirs.nodes[0], own.nodes[0])
		compare(t, name+": node-1", theirs.nodes[1], own.nodes[1])
		compare(t, name+": ServerApp", theirs.app, own.app)
		compare(t, name+": log", theirs.log, own.log)
	}
}

// taskIDs are in the messages that our SuperLink gives, as they were sent. Flower's store loses them; the object of the message has them.
var taskIDs = regexp.MustCompile(` (src|dst)_task_id=number`)

func compare(t *testing.T, what string, theirs, own []string) {
	t.Helper()
	t.Logf("%s: %d lines", what, len(theirs))
	if len(theirs) < 4 || !slices.Equal(theirs, own) {
		t.Errorf("%s:\nFlower's\n\t%s\nours\n\t%s", what, strings.Join(theirs, "\n\t"), strings.Join(own, "\n\t"))
	}
}
