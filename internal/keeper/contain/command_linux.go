package contain

import (
	"errors"
	"io"
	"os"
	"os/exec"
)

// Command makes a command that has not been started run within a policy. It must have no further files. The caller closes what it returns
// once the command has been started or will not be. Where the program cannot be started, the exit code is 127. Linux only: elsewhere
// nothing is changed.
func Command(cmd *exec.Cmd, p Policy) (io.Closer, error) {
	if cmd.Err != nil {
		return nil, cmd.Err
	}
	if len(cmd.ExtraFiles) > 0 {
		return nil, errors.New("a contained command has further files")
	}
	file, command, err := Wrap(p, cmd.Path, cmd.Args, cmd.Dir, cmd.Environ(), 0)
	if err != nil {
		return nil, err
	}
	cmd.Path, cmd.Args, cmd.Env, cmd.ExtraFiles = self, command, []string{}, []*os.File{file}
	return file, nil
}
