package e2e

import (
	"bufio"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// demo is a running `blossomtune demo`.
type demo struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
	all   []string
}

func startDemo(t *testing.T, data string, args ...string) *demo {
	t.Helper()
	d := &demo{t: t, lines: make(chan string, 1000)}
	d.cmd = exec.Command(bin(t), append([]string{"demo", "--data", data, "--listen", "127.0.0.1:0"}, args...)...)
	d.cmd.Dir = t.TempDir()
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.Stderr = d.cmd.Stdout
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go d.read(out)
	return d
}

func (d *demo) read(out io.Reader) {
	defer close(d.lines)
	for scan := bufio.NewScanner(out); scan.Scan(); {
		d.lines <- scan.Text()
	}
}

// until reads the output until a line has the words, or to its end where words are empty.
func (d *demo) until(words string) {
	d.t.Helper()
	late := time.After(4 * time.Minute)
	for {
		select {
		case line, more := <-d.lines:
			if !more {
				if words != "" {
					d.t.Fatalf("the demo ended without %q:\n%s", words, strings.Join(d.all, "\n"))
				}
				return
			}
			d.all = append(d.all, line)
			if words != "" && strings.Contains(line, words) {
				return
			}
		case <-late:
			_ = d.cmd.Process.Signal(syscall.SIGINT)
			d.t.Fatalf("after four minutes there is no %q:\n%s", words, strings.Join(d.all, "\n"))
		}
	}
}

// ends waits for the demo's end, with status 0.
func (d *demo) ends() string {
	d.t.Helper()
	d.until("")
	if err := d.cmd.Wait(); err != nil {
		d.t.Fatalf("the demo ended with %v:\n%s", err, strings.Join(d.all, "\n"))
	}
	return strings.Join(d.all, "\n")
}

var demoAccuracy = regexp.MustCompile(`completed, accuracy (0\.\d+)`)

func learned(t *testing.T, out string) {
	t.Helper()
	m := demoAccuracy.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no accuracy of a completed run:\n%s", out)
	}
	if a, err := strconv.ParseFloat(m[1], 64); err != nil || a <= 0.85 {
		t.Errorf("accuracy %s", m[1])
	}
	if n := strings.Count(out, "round "); n < 5 || strings.Contains(out, "\x1b") {
		t.Errorf("%d lines of rounds, or colours where there is no terminal:\n%s", n, out)
	}
}

// The demo shows a federation that learns, ends with nothing left, and goes on with its data when it is started again.
func TestDemo(t *testing.T) {
	t.Parallel()
	data := newData(t)
	first := startDemo(t, data, "--exit").ends()
	learned(t, first)
	if !strings.Contains(first, "run digits-1") || strings.Count(first, "asks, enters the mailed code") != 2 {
		t.Errorf("the first start:\n%s", first)
	}
	noProcesses(t, data)
	second := startDemo(t, data, "--exit").ends()
	learned(t, second)
	if !strings.Contains(second, "run digits-2") || strings.Contains(second, "asks, enters") {
		t.Errorf("the second start did not go on with what there is:\n%s", second)
	}
}

// Ctrl-C at any moment ends everything.
func TestDemoStopsAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"BlossomTune demo", "flwr 1", "Server:", "up ", "Site North", "Site South", "online", "watch it at", "round 1/"} {
		t.Run(moment, func(t *testing.T) {
			data := newData(t)
			d := startDemo(t, data, "--exit")
			d.until(moment)
			if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Fatal(err)
			}
			d.ends()
			noProcesses(t, data)
		})
	}
}
