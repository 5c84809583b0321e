package catalog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"blossomtune/internal/catalog/git"
	"blossomtune/internal/domain"
)

// GitInput names an app in a git repository.
type GitInput struct {
	Repository string // https://…, or for admins a path on the server
	Ref        string // a commit in full, a tag or a branch; empty: the repository's own choice
	Folder     string // of the app in the repository; empty: its top
}

// Bounds of what is fetched.
const (
	gitWait = 2 * time.Minute
	maxRepo = 200 << 20
)

// FromGit adds an app from a git repository at one commit, which is kept with it. Admins may name repositories on the server and
// in its own network. What cannot be had or is no app is an error at "repository", "ref", "folder" or "app"; then nothing has changed.
func (s *Service) FromGit(ctx context.Context, actor domain.Actor, in GitInput) (domain.AppVersion, error) {
	if err := s.MayUse(ctx, actor); err != nil {
		return domain.AppVersion{}, err
	}
	done, err := s.slot(ctx, actor)
	if err != nil {
		return domain.AppVersion{}, err
	}
	defer done()
	tmp, err := os.MkdirTemp("", "blossomtune-app-")
	if err != nil {
		return domain.AppVersion{}, fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "app")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return domain.AppVersion{}, fmt.Errorf("making a temporary folder: %w", err)
	}
	commit, err := git.Fetch(ctx, git.Source{Repository: in.Repository, Ref: in.Ref, Folder: in.Folder},
		git.Limits{Wait: gitWait, Repo: maxRepo, Files: maxFiles, Bytes: maxUnzipped, Inside: actor.Admin}, dir)
	if err != nil {
		s.Log.Info("an app from git was refused", "repository", in.Repository, "err", err)
		return domain.AppVersion{}, err
	}
	if _, err := os.Stat(filepath.Join(dir, "pyproject.toml")); err != nil {
		return domain.AppVersion{}, invalid("There is no pyproject.toml in the folder.").Fix("Name the folder of the app in the repository.").
			At("folder").Because(err)
	}
	fab, err := s.build(ctx, dir)
	if err != nil {
		return domain.AppVersion{}, err
	}
	return s.add(ctx, actor, fab,
		domain.AppOrigin{Kind: domain.OriginGit, Place: in.Repository, Ref: in.Ref, Commit: commit, Folder: in.Folder})
}

// slot waits for one of the few places where apps are fetched and built, and counts what somebody asks for.
func (s *Service) slot(ctx context.Context, actor domain.Actor) (done func(), err error) {
	if actor.Kind != domain.System.Kind && !s.asked.Allow(actor.Kind+" "+actor.Name, s.Clock()) {
		return nil, domain.Errorf(domain.Limited, "You have added %d apps within an hour.", maxAdds).Fix("Wait a while.").At("app")
	}
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
