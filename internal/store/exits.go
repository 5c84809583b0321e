package store

import (
	"context"

	"blossomtune/internal/domain"
)

const exitColumns = "federation_id, engine_run_id, node_id, exit_code, signal, kind, module, output, at, trouble, address, file, " +
	"file_line, func, code"

// InsertAppExit keeps how a ClientApp failed, unless [domain.MaxAppExits] of its SuperNode in the run are known: it reports whether it did.
func (tx *Tx) InsertAppExit(ctx context.Context, e domain.AppExit) (bool, error) {
	known, err := get(ctx, tx, "exit", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
		"SELECT COUNT(*) FROM app_exit WHERE federation_id = $1 AND engine_run_id = $2 AND node_id = $3", e.FederationID, int64(e.EngineRunID),
		int64(e.NodeID))
	if err != nil || known >= domain.MaxAppExits {
		return false, err
	}
	return true, tx.exec(ctx, "exit", "INSERT INTO app_exit ("+exitColumns+
		") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
		e.FederationID, int64(e.EngineRunID), int64(e.NodeID), e.ExitCode, e.Signal, e.Kind, e.Module, e.Output, millis(e.At), e.Trouble,
		e.Address, e.File, e.FileLine, e.Func, e.Code)
}

func scanAppExit(s scanner) (e domain.AppExit, err error) {
	var engine, node, at int64
	err = s.Scan(&e.FederationID, &engine, &node, &e.ExitCode, &e.Signal, &e.Kind, &e.Module, &e.Output, &at, &e.Trouble, &e.Address, &e.File,
		&e.FileLine, &e.Func, &e.Code)
	e.EngineRunID, e.NodeID, e.At = uint64(engine), uint64(node), moment(at)
	return e, err
}

// AppExits returns how ClientApps of a run failed, the first first.
func (tx *Tx) AppExits(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.AppExit, error) {
	return list(ctx, tx, "exit", scanAppExit, "SELECT "+exitColumns+
		" FROM app_exit WHERE federation_id = $1 AND engine_run_id = $2 ORDER BY id",
		fedID, int64(engineRunID))
}
