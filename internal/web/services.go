package web

import (
	"context"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// Engines is what the pages do with SuperLinks.
type Engines interface {
	Start(ctx context.Context, actor domain.Actor, fedID int64) error
	Stop(ctx context.Context, actor domain.Actor, fedID int64) error
	Status(fedID int64) domain.SuperLink
	Default() domain.Engine
	Log(fedID int64, part string, older int) (*logfile.File, error)
	OlderLogs(fedID int64, part string) int
	NodeLog(fedID, keyID int64, part string, older int) *logfile.File
}
