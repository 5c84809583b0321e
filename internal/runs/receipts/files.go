package receipts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/openfile"
	"blossomtune/internal/receipt"
	"blossomtune/internal/runs/artifacts"
)

// What a receipt's hashes may cost a run. Variables for tests.
var (
	receiptTime        = 2 * time.Minute
	receiptBytes int64 = 64 << 30
)

// receiptFiles adds the hashes of the log and of what the ServerApp wrote. A file that cannot be read, or that would take too long, is
// named in LeftOut; it holds up neither this receipt nor another.
func (s *Maker) receiptFiles(ctx context.Context, run domain.Run, st *receipt.Statement, p *receipt.Run) error {
	if run.EngineRunID == 0 {
		return nil
	}
	h := hasher{ctx: ctx, until: time.Now().Add(receiptTime), left: receiptBytes}
	add := func(name string, open func() (*os.File, error)) error {
		sum, err := h.hash(open)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			p.LeftOut[name] = artifacts.ProblemOf(err)
		default:
			st.Subject = append(st.Subject, subject(name, sum))
		}
		return nil
	}
	err := add("log", func() (*os.File, error) {
		f, err := openfile.Regular(s.LogFile(run.FederationID, run.EngineRunID))
		if os.IsNotExist(err) {
			err = errors.New("there is none")
		}
		return f, err
	})
	if err != nil {
		return err
	}
	files, err := s.Files.Artifacts(ctx, run)
	if err != nil {
		if ctx.Err() == nil {
			p.LeftOut["artifacts"], err = artifacts.ProblemOf(err), nil
		}
		return err
	}
	if len(files) >= artifacts.MaxArtifacts {
		p.LeftOut["artifacts"] = fmt.Sprintf("only the first %d are listed", artifacts.MaxArtifacts)
	}
	for _, a := range files {
		if a.Problem != "" {
			p.LeftOut["artifact/"+a.Path] = a.Problem
			continue
		}
		if err := add("artifact/"+a.Path, func() (*os.File, error) { return s.Files.OpenArtifact(ctx, run, a.Path) }); err != nil {
			return err
		}
	}
	return nil
}

// hasher hashes the files of one run within its limits.
type hasher struct {
	ctx   context.Context
	until time.Time
	left  int64 // bytes
}

func (h *hasher) hash(open func() (*os.File, error)) (string, error) {
	f, err := open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() > h.left {
		return "", fmt.Errorf("it has %d bytes; of one run at most %d are hashed", info.Size(), receiptBytes)
	}
	sum, buf := sha256.New(), make([]byte, 1<<20)
	for left := info.Size(); left > 0; {
		if err := h.ctx.Err(); err != nil {
			return "", err
		}
		if time.Now().After(h.until) {
			return "", fmt.Errorf("hashing the run's files took longer than %s", receiptTime)
		}
		n, err := f.Read(buf[:min(left, int64(len(buf)))])
		_, _ = sum.Write(buf[:n])
		left, h.left = left-int64(n), h.left-int64(n)
		if errors.Is(err, io.EOF) {
			return "", errors.New("it became shorter while it was read")
		}
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
