package contain

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// checkLimit is how long the check may take.
const checkLimit = 10 * time.Second

// Check tries what this system can put in force, once for this process.
var Check = sync.OnceValue(func() Report {
	r := Report{System: runtime.GOOS}
	file, command, err := wrap(job{Probe: true})
	if err != nil {
		r.Reason = err.Error()
		return r
	}
	defer file.Close()
	ctx, cancel := context.WithTimeout(context.Background(), checkLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Args, cmd.Env, cmd.ExtraFiles = command, []string{}, []*os.File{file}
	out, err := cmd.Output()
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(out)).Decode(&r)
	}
	if err != nil {
		r.Reason = "Containment could not be tried: " + err.Error() + "."
	}
	return r
})

func landlockVersion() int {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return abi
}

// canFilter reports whether the kernel takes filters: a null pointer is refused for another reason.
func canFilter() bool {
	_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, 0)
	return e == unix.EFAULT
}
