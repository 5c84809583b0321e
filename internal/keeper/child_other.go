//go:build !linux

package keeper

import "os/exec"

// Adopt does nothing here: the system has no subreapers.
func Adopt() {}

// start starts the command, and a goroutine that waits for its end.
func (c *Child) start(cmd *exec.Cmd, _ Command, out *output) error {
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out.child, out.child, childAttr()
	if err := cmd.Start(); err != nil {
		return err
	}
	c.began(cmd.Process.Pid)
	c.end = func(hard bool) {
		if hard {
			kill(c.id.PID)
		} else {
			terminate(c.id.PID)
		}
	}
	go func() {
		err := cmd.Wait()
		killRest(c.id.PID)
		out.end()
		c.exit = exitOf(cmd.ProcessState, err)
		close(c.done)
	}()
	return nil
}

func startOurs(cmd *exec.Cmd, _ []int) error { return cmd.Start() }

func waitOurs(cmd *exec.Cmd) Exit { return exitOf(cmd.ProcessState, cmd.Wait()) }
