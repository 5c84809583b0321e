// Package flowerlink runs Flower's own SuperLink for load tests, and starts runs on it whose ServerApp is played by the caller.
package flowerlink

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/fleetload"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/flower/wire"
)

// Link is a running SuperLink on a port of 127.0.0.1.
type Link struct {
	Target  fleetload.Target
	Control *wire.Client
	secret  []byte
	cmd     *exec.Cmd
	exited  chan struct{}
}

const upWithin = 60 * time.Second

// Start starts a SuperLink that keeps its database, certificate and log in a directory, and waits until it is healthy. It ends with
// [Link.Stop].
func Start(ctx context.Context, env python.Env, dir string) (*Link, error) {
	roots, err := makeCertificate(dir)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	l := &Link{secret: []byte(hex.EncodeToString(raw)), exited: make(chan struct{})}
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("secret"), l.secret, 0o600); err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l.Target, l.Control = fleetload.Target{URL: "https://" + addr, Roots: roots}, wire.NewClient(addr, roots)
	log, err := os.Create(at("superlink.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// Not bound to ctx: it ends on SIGTERM, so that its database is closed.
	l.cmd = exec.CommandContext(context.WithoutCancel(ctx), env.Bin("flower-superlink"),
		"--host", "127.0.0.1", "--port", strconv.Itoa(port), "--isolation", "process",
		"--enable-supernode-auth", "--database", at("superlink.db"), "--ssl-certfile", at("server.pem"), "--ssl-keyfile", at("server.key"),
		"--ssl-ca-certfile", at("server.pem"), "--superexec-auth-secret-file", at("secret"), "--disable-runtime-dependency-installation")
	l.cmd.Dir, l.cmd.Env, l.cmd.Stdout, l.cmd.Stderr = dir, env.Environ(at("home")), log, log
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(l.exited)
		_ = l.cmd.Wait()
	}()
	if err := l.awaitHealthy(ctx); err != nil {
		l.Stop()
		text, _ := os.ReadFile(at("superlink.log"))
		return nil, fmt.Errorf("starting Flower's SuperLink: %w\n%s", err, text[max(0, len(text)-2000):])
	}
	return l, nil
}

func (l *Link) awaitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := l.Control.Healthy(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-l.exited:
			return fmt.Errorf("it ended: %s", l.cmd.ProcessState)
		case <-ctx.Done():
			return err
		}
	}
}

// PID returns the SuperLink's process id.
func (l *Link) PID() int { return l.cmd.Process.Pid }

// Stop ends the SuperLink, by force after ten seconds, and waits for its end.
func (l *Link) Stop() {
	l.Control.Close()
	terminate(l.cmd.Process)
	timer := time.AfterFunc(10*time.Second, func() { _ = l.cmd.Process.Kill() })
	<-l.exited
	timer.Stop()
}

// Register makes the keys of SuperNodes known.
func (l *Link) Register(ctx context.Context, keys []*fleetload.Key) error {
	for _, k := range keys {
		if _, err := l.Control.RegisterNode(ctx, k.PublicPEM, ""); err != nil {
			return err
		}
	}
	return nil
}

// Run starts a run of an app and acquires the task of its ServerApp. It returns the ID of the run and the task's token. Only one call
// may be in progress at a time.
func (l *Link) Run(ctx context.Context, fab []byte, config map[string]any) (run uint64, token string, err error) {
	if run, err = l.Control.StartRun(ctx, fab, config); err != nil {
		return 0, "", err
	}
	task, err := l.Control.AcquireTask(ctx, l.secret, wire.ServerAppTask)
	if err != nil {
		return 0, "", err
	}
	if task == nil || task.RunID != run {
		return 0, "", domain.Errorf(domain.Internal, "The SuperLink gave no task for run %d.", run)
	}
	return run, task.Token, nil
}

// Grid starts a run and returns the grid of its ServerApp, which has begun.
func (l *Link) Grid(ctx context.Context) (*fleetload.Grid, error) {
	run, token, err := l.Run(ctx, FAB(), nil)
	if err != nil {
		return nil, err
	}
	g, err := fleetload.NewGrid(ctx, l.Target, run, token)
	if err != nil {
		return nil, err
	}
	return g, g.Begin(ctx)
}

const pyproject = `[project]
name = "fleetload"
version = "1.0.0"
description = "A load test whose ServerApp and ClientApps are played"
license = "Apache-2.0"
dependencies = ["flwr>=1.41"]

[tool.flwr.app]
publisher = "blossomtune"

[tool.flwr.app.components]
serverapp = "fleetload.app:server"
clientapp = "fleetload.app:client"

[tool.flwr.app.config]
`

// FAB returns a bundle that a SuperLink accepts. Nothing in it is ever run.
func FAB() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b) // writes to memory do not fail
	for _, f := range [][2]string{{"pyproject.toml", pyproject}, {"fleetload/app.py", "server = client = None\n"}} {
		w, _ := z.Create(f[0])
		_, _ = io.WriteString(w, f[1])
	}
	_ = z.Close()
	return b.Bytes()
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return ln.Addr().(*net.TCPAddr).Port, ln.Close()
}

// makeCertificate writes a certificate for 127.0.0.1 that vouches for itself.
func makeCertificate(dir string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-time.Hour),
		NotAfter:  now.Add(30 * 24 * time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, "server.pem"), text, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "server.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		0o600); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool, nil
}
