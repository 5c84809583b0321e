package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// Backups makes backups of the server and knows those that were made.
type Backups interface {
	State(ctx context.Context) (domain.BackupState, error)
	Start(ctx context.Context, actor domain.Actor) error
}

func (a *api) backupOps() {
	add(a, op("list-backups", http.MethodGet, "/backups", "Backups of the server, and whether they need attention", signedIn), a.listBackups)
	start := op("start-backup", http.MethodPost, "/backups", "Ask for a backup of the server; it is made in the background", signedIn)
	start.DefaultStatus = http.StatusAccepted
	add(a, start, a.startBackup)
}

func (a *api) listBackups(ctx context.Context, _ *none) (*body[client.Backups], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	s, err := a.Backups.State(ctx)
	if err != nil {
		return nil, err
	}
	out := client.Backups{Daily: s.Daily, Folder: s.Folder, KeepDaily: s.KeepDaily, KeepWeekly: s.KeepWeekly, Running: s.Running,
		Newest: []client.Backup{}}
	out.Problem, out.Remedy = s.Problem(a.Clock())
	if !s.Next.IsZero() {
		out.Next = &s.Next
	}
	if at := s.LastGood.EndedAt; !at.IsZero() {
		out.LastGood = &at
	}
	for _, b := range s.Newest {
		out.Newest = append(out.Newest, client.Backup{ID: b.ID, Kind: string(b.Kind), StartedAt: b.StartedAt, EndedAt: b.EndedAt, File: b.File,
			Bytes: b.Size, SHA256: b.SHA256, Encrypted: !b.Clear, Verified: string(b.Verified), Error: b.Error})
	}
	return answer(out), nil
}

func (a *api) startBackup(ctx context.Context, _ *none) (*body[client.Backups], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	if err := a.Backups.Start(ctx, callerOf(ctx).actor); err != nil {
		return nil, err
	}
	return a.listBackups(ctx, nil)
}
