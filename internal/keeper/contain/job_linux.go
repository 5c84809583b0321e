package contain

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// job is what a containing process is told: the policy and the program.
type job struct {
	Policy Policy   `json:"policy"`
	Path   string   `json:"path"`
	Args   []string `json:"args"` // with the program's name
	Dir    string   `json:"dir"`
	Env    []string `json:"env"`   // all of it
	Files  int      `json:"files"` // how many files it gets from 3 on
	Probe  bool     `json:"probe"` // start nothing; report
}

// maxJob bounds the text of a job, in bytes. A run's own environment variables are in it.
const maxJob = 4 << 20

// Wrap returns the command that starts a program within a policy. The command must be started with the further files that the program
// gets from 3 on (n of them), then with the returned file, which the caller closes.
func Wrap(p Policy, path string, args []string, dir string, env []string, n int) (file *os.File, command []string, err error) {
	return wrap(job{Policy: p, Path: path, Args: args, Dir: dir, Env: env, Files: n})
}

func wrap(j job) (*os.File, []string, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, nil, err
	}
	fd, err := unix.MemfdCreate(Name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("making the file of a policy: %w", err)
	}
	f := os.NewFile(uintptr(fd), "policy")
	if _, err := f.Write(text); err != nil {
		_ = f.Close()
		return nil, nil, fmt.Errorf("writing a policy: %w", err)
	}
	return f, []string{Name, strconv.Itoa(firstFile + j.Files)}, nil
}

// firstFile is the first descriptor after the standard ones.
const firstFile = 3

// policyFile stays referenced: the collector would close the descriptor, which other code names by its number.
var policyFile *os.File

func readJob(fd int) (job, error) {
	var j job
	policyFile = os.NewFile(uintptr(fd), "policy")
	text, err := io.ReadAll(io.NewSectionReader(policyFile, 0, maxJob))
	if err != nil {
		return j, err
	}
	return j, json.Unmarshal(text, &j)
}
