package launcher

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/testflwr"
)

// needs returns a FAB of an app with these dependencies, and with what else its pyproject.toml and its files say.
func needs(t *testing.T, deps string, files ...string) []byte {
	t.Helper()
	project := "[project]\nname = \"needy\"\nversion = \"1.0.0\"\ndependencies = [" + deps + "]\n"
	if len(files) > 0 {
		project += "[tool.uv.sources]\nprobe = { path = \"libs/probe-1.0.0-py3-none-any.whl\" }\n"
	}
	return zipped(t, append(files, "pyproject.toml", project)...)
}

// zipped returns a zip of files, given as pairs of name and content.
func zipped(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withApps is a launcher on the real Python environment, whose runs have this app.
func withApps(t *testing.T, fab func() ([]byte, error)) *fixture {
	t.Helper()
	o := options(t.TempDir())
	o.Env, o.EnvDir = testflwr.Venv(t), t.TempDir()
	o.FAB = func(context.Context, uint64) ([]byte, error) { return fab() }
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(0) })
	return &fixture{Launcher: l, t: t, work: filepath.Join(RunDir(o.FedDir, run), WorkName)}
}

// The real flwr-serverapp starts from a template with the run's own settings, directory, log and Flower home. Without a SuperLink behind
// its Runtime API it ends soon.
func TestAServerAppStartsFromATemplate(t *testing.T) {
	fab := needs(t, `"flwr"`)
	f := withApps(t, func() ([]byte, error) { return fab, nil })
	f.launch(domain.RunSettings{CPUs: 1, Environment: map[string]string{"FLWR_LOG_LEVEL": "DEBUG"}})
	got := f.ended()
	text, err := os.ReadFile(filepath.Join(RunDir(f.FedDir, run), LogName))
	if err != nil || got.Attempts != 1 || got.ExitCode < 0 || got.Signal != "" || got.Reason != "" || got.FirstRequestAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if !strings.Contains(string(text), "[flwr-serverapp] Pull task input") {
		t.Errorf("the log has\n%s", text)
	}
}

// Packages that cannot be installed end the task with Flower's exit code for that, and the run's log has uv's words. The task is not
// acquired for it.
func TestAnAppThatCannotBeInstalledEndsItsTask(t *testing.T) {
	fab := needs(t, `"flwr", "surely-no-such-package-of-anyone==1.0"`)
	f := withApps(t, func() ([]byte, error) { return fab, nil })
	f.launch(domain.RunSettings{InstallDependencies: true})
	got := f.ended()
	text, err := os.ReadFile(filepath.Join(RunDir(f.FedDir, run), LogName))
	if err != nil || got.ExitCode != ExitDependencies || got.TaskID != 0 || got.Attempts != 0 || got.Reason != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if !strings.Contains(string(text), "surely-no-such-package-of-anyone was not found in the package registry") || !strings.Contains(string(text), "\nInstalling application dependencies failed: ") {
		t.Errorf("the log has\n%s", text)
	}
}

// A run whose app is not in the database cannot start, and says so; a database that fails is asked again.
func TestAnAppThatIsGone(t *testing.T) {
	asked := 0
	f := withApps(t, func() ([]byte, error) {
		if asked++; asked == 1 {
			return nil, domain.Errorf(domain.Unavailable, "The database is busy.")
		}
		return nil, domain.Errorf(domain.NotFound, "There is no such app.")
	})
	f.launch(domain.RunSettings{})
	if got := f.ended(); asked != 2 || got.ExitCode != -1 || !strings.Contains(got.Reason, "There is no such app") {
		t.Errorf("asked %d times: %+v", asked, got)
	}
}
