package agent

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
	"blossomtune/internal/testflwr"
)

// A template of the real flwr: each process has its arguments, output, group and end to itself, and dies with the template.
func TestClientAppsOfATemplate(t *testing.T) {
	env, dir := testflwr.Venv(t), t.TempDir()
	program := filepath.Join(dir, "clientapps.py")
	if err := os.WriteFile(program, python.ClientAppTemplate, 0o600); err != nil {
		t.Fatal(err)
	}
	tpl, err := keeper.StartTemplate(keeper.Command{Path: env.Bin("python"), Args: []string{program}, Dir: dir, Env: env.Environ(dir), LogFile: filepath.Join(dir, "template.log"), DieWithParent: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tpl.Stop(time.Second) })
	start := func(name string, args ...string) (*keeper.Child, func() string) {
		t.Helper()
		log := filepath.Join(dir, name+".log")
		child, err := tpl.Start(keeper.Fork{Args: args, Dir: dir, LogFile: log})
		if err != nil {
			own, _ := os.ReadFile(filepath.Join(dir, "template.log"))
			t.Fatalf("%v\n%s", err, own)
		}
		return child, func() string { text, _ := os.ReadFile(log); return string(text) }
	}
	help, helped := start("help", "--help")
	wrong, said := start("wrong", "--no-such-flag")
	if exit := help.Exit(); exit.Code != 0 || !strings.Contains(helped(), "usage: flwr-clientapp") {
		t.Errorf("--help: %s: %s", exit, helped())
	}
	if exit := wrong.Exit(); exit.Code != 2 || !strings.Contains(said(), "error: one of the arguments --token --token-file is required") || strings.Contains(said(), "Run a Flower ClientApp") {
		t.Errorf("--no-such-flag: %s: %s", exit, said())
	}
	waits := []string{"--runtime-api-address", "127.0.0.1:1", "--insecure", "--token", "none", "--parent-pid", "1"}
	stopped, _ := start("stopped", waits...)
	if pgid, err := syscall.Getpgid(stopped.Identity().PID); err != nil || pgid != stopped.Identity().PID {
		t.Errorf("the process is of group %d, %v", pgid, err)
	}
	if exit := stopped.Stop(0); exit.Signal == "" && exit.Code == 0 {
		t.Errorf("it was stopped: %s", exit)
	}
	if tpl.Ended() {
		t.Fatal("the template ended with a process of it")
	}
	orphan, _ := start("orphan", waits...)
	tpl.Stop(0)
	if exit := orphan.Exit(); exit.Signal != "SIGKILL" || orphan.Identity().Alive() {
		t.Errorf("it outlived the template: %s", exit)
	}
	if _, err := tpl.Start(keeper.Fork{Args: waits, Dir: dir, LogFile: filepath.Join(dir, "late.log")}); err == nil {
		t.Error("a template that has ended makes processes")
	}
}
