//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"blossomtune/internal/client"
)

type backupListCmd struct{ remoteFlags }

// Run lists backups.
func (c *backupListCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, "/backups", nil, func(w io.Writer, b client.Backups) {
		var rows [][]any
		for _, one := range b.Newest {
			result := one.File
			if one.Error != "" {
				result = "failed: " + one.Error
			}
			rows = append(rows, []any{one.ID, one.EndedAt, one.Kind, one.Bytes, one.Verified, result})
		}
		table(w, "ID AT KIND BYTES VERIFIED RESULT", rows)
		if b.Problem != "" {
			fmt.Fprintln(w, b.Problem, b.Remedy)
		}
	})
}

type backupStartCmd struct{ remoteFlags }

// Run asks for a backup.
func (c *backupStartCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodPost, "/backups", nil, "The backup is being made.")
}
