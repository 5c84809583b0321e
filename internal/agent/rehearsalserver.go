package agent

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/flower/supernode"
)

// serverApp runs the ServerApp to its end, or to that of the round.
func (r *rehearser) serverApp(ctx context.Context, fab []byte) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("opening a port for the ServerApp: %w", err)
	}
	srv := &http.Server{Handler: r.link, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()
	ready, err := r.apps.pool.Prepare(ctx, fab)
	if err != nil {
		return prepareWords(ctx, err)
	}
	room, err := r.serverRoom(fab, ln.Addr().(*net.TCPAddr).Port)
	if err != nil {
		ready.Release()
		return err
	}
	ready.Enter(room)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-r.link.RoundOver():
			cancel(errRoundOver)
		case <-ctx.Done():
		}
	}()
	log := r.n.h.file("serverapp.log")
	task := &supernode.Task{Address: ln.Addr().String(), Token: r.link.Token()}
	exit, _, err := r.apps.runProgram(ctx, apphost.ServerApp, task, ready, room, log)
	return r.ended(ctx, exit.String(), err, log)
}

var errRoundOver = errors.New("one round is over")

func prepareWords(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var b *apphost.BuildError
	if errors.As(err, &b) {
		return domain.Errorf(domain.Unavailable, "The app's packages could not be installed. %s", b.Cause).Fix("%s", b.Remedy)
	}
	return err
}

// serverRoom is the sandbox of the ServerApp. It sees none of the data.
func (r *rehearser) serverRoom(fab []byte, port int) (*apphost.Room, error) {
	if r.n.j.o.Uncontained {
		return nil, nil
	}
	room := &apphost.Room{Dir: r.n.h.file("serverapp"), Port: port, Hub: r.web, UID: r.n.appUID(sha256.Sum256(fab))}
	return room, room.Make()
}

// ended says how the ServerApp ended.
func (r *rehearser) ended(ctx context.Context, exit string, err error, log string) error {
	o := r.link.Output()
	switch {
	case o.Stopped:
		r.out.ServerApp = "ended after one round"
	case ctx.Err() != nil:
		r.out.ServerApp = "stopped: " + context.Cause(ctx).Error()
	case err != nil:
		return err
	case o.Reported && o.Status == "completed":
		r.out.ServerApp = o.Status
	case o.Reported:
		r.out.ServerApp = domain.Cut("failed: "+o.Details, 500)
	default:
		r.out.ServerApp = "ended without reporting: " + exit
	}
	if r.out.ServerApp != "completed" && !o.Stopped {
		r.tail("ServerApp", log)
	}
	return nil
}
