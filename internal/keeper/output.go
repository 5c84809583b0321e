package keeper

import (
	"errors"
	"fmt"
	"os"
	"time"

	"blossomtune/internal/logfile"
)

// output is the way from a child to its log. A slow disk makes the child wait, nothing more is held here than a pipe does.
type output struct {
	child  *os.File // the child's end
	ours   *os.File
	log    *logfile.Writer
	copied chan struct{}
}

func newOutput(path string, k logfile.Keep) (*output, error) {
	log, err := logfile.Open(path, k, time.Now)
	if err != nil {
		return nil, err
	}
	ours, child, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a pipe: %w", err), log.Close())
	}
	return &output{child: child, ours: ours, log: log, copied: make(chan struct{})}, nil
}

// copy stores what comes as it comes, until nobody has the child's end any more.
func (o *output) copy() {
	defer close(o.copied)
	buf := make([]byte, 64<<10)
	for {
		n, err := o.ours.Read(buf)
		if n > 0 {
			_, _ = o.log.Write(buf[:n]) // it tells its failures in the log
		}
		if err != nil {
			return
		}
	}
}

// lastWords is how long an ended child's last output is waited for. It is in the pipe already; only a process that could not be killed
// still has the other end, or, on systems without subreapers, one that left the child's group.
const lastWords = 2 * time.Second

// end closes the log when the child has ended.
func (o *output) end() {
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-o.copied:
	case <-timer.C:
		_ = o.ours.SetReadDeadline(time.Unix(1, 0)) // where there are no deadlines, closing does it
		_ = o.ours.Close()
		<-o.copied
	}
	_ = o.ours.Close()
	_ = o.log.Close()
}
