// Package sysinfo reads what a server can say of itself and its machine, for the page of the system: versions, memory, disk, keepers.
package sysinfo

import (
	"context"
	"os"
	"runtime"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/keeper/contain"
)

// Info is what the server says of itself and the machine. What is not known is zero.
type Info struct {
	Version, Go, Machine string
	Cores                int
	Containment          contain.Report // what keeps ServerApps from everything else
	Contained            domain.Containment
	AppUsers             string // which users ServerApps run as
	Uncontained          bool   // admins accept apps that cannot be contained
	Started              time.Time
	PID                  int
	Memory               int64 // of the server itself, bytes

	Database     string // kind and version
	DatabaseSize int64
	Schema       int64 // the newest migration

	Data                string // the data directory
	DiskFree, DiskTotal int64

	Python, Flwr string // versions; Python's is empty until its environment is made
	Keepers      []Keeper
	Mails        map[string]int // by state
}

// Keeper is what keeps a federation's SuperLink.
type Keeper struct {
	Fed       domain.Federation
	Link      domain.SuperLink
	PID       int   // 0: none runs
	Memory    int64 // with all that it started
	Processes int
}

// lowDisk is the part of a disk below which what is free is a warning.
const lowDisk = 20

// DiskLow reports whether less than a twentieth of the disk is free.
func (i Info) DiskLow() bool { return i.DiskTotal > 0 && i.DiskFree*lowDisk < i.DiskTotal }

// Tx reads a server's database.
type Tx interface {
	Federations(ctx context.Context) ([]domain.Federation, error)
	CountMails(ctx context.Context) (map[string]int, error)
}

// Store opens a view of the database.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
}

// Database describes the database itself: kind and version, size in bytes, newest migration.
type Database func(ctx context.Context) (engine string, size, schema int64, err error)

// Engines knows the federations' keepers.
type Engines interface {
	Status(fedID int64) domain.SuperLink
	KeeperPID(fedID int64) int
}

// Reader reads what a server can say of itself.
type Reader struct {
	Fixed       Info // what does not change while the server runs: Version, Flwr, Started, Data
	Store       Store
	Database    Database
	Engines     Engines
	Python      func() string // the version; "" until its environment is made
	Contained   func() domain.Containment
	AppUsers    func() string
	Uncontained func(context.Context) (bool, error) // whether admins accept apps that cannot be contained
}

// Read returns everything as it is now.
func (r *Reader) Read(ctx context.Context) (Info, error) {
	out := r.Fixed
	out.Go, out.Machine, out.Cores, out.PID = runtime.Version(), runtime.GOOS+" "+runtime.GOARCH, runtime.NumCPU(), os.Getpid()
	out.Containment, out.Contained, out.AppUsers, out.Python = contain.Check(), r.Contained(), r.AppUsers(), r.Python()
	out.DiskFree, out.DiskTotal = diskSpace(out.Data)
	var err error
	if out.Uncontained, err = r.Uncontained(ctx); err != nil {
		return out, err
	}
	if out.Database, out.DatabaseSize, out.Schema, err = r.Database(ctx); err != nil {
		return out, err
	}
	var feds []domain.Federation
	err = r.Store.View(ctx, func(tx Tx) (err error) {
		if feds, err = tx.Federations(ctx); err != nil {
			return err
		}
		out.Mails, err = tx.CountMails(ctx)
		return err
	})
	if err != nil {
		return out, err
	}
	r.keepers(&out, feds)
	return out, nil
}

func (r *Reader) keepers(out *Info, feds []domain.Federation) {
	pids := []int{out.PID}
	for _, f := range feds {
		k := Keeper{Fed: f, Link: r.Engines.Status(f.ID), PID: r.Engines.KeeperPID(f.ID)}
		k.Link.Idle = f.EngineIdle && k.Link.State == domain.SuperLinkStopped
		if k.Link.State == domain.SuperLinkStopped {
			k.PID = 0
		}
		if k.PID != 0 {
			pids = append(pids, k.PID)
		}
		out.Keepers = append(out.Keepers, k)
	}
	memory := memoryOf(pids)
	out.Memory = memory[out.PID].own
	for i := range out.Keepers {
		k := &out.Keepers[i]
		m := memory[k.PID]
		k.Memory, k.Processes = m.own+m.below, m.processes
	}
}
