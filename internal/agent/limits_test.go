package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/keeper"
)

func TestAClientAppIsHeldToItsLimits(t *testing.T) {
	for _, c := range []struct {
		what, program, want string
		limits              AppLimits
	}{
		{"without limits", "pass", "", AppLimits{}},
		{"within them", "pass", "", AppLimits{Memory: 1 << 30, Time: time.Minute}},
		{"too much memory", "import time; x = b'x' * 200_000_000; time.sleep(60)", overMemory, AppLimits{Memory: 150_000_000}},
		{"a child's memory", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; x = b\"x\" * 200_000_000; time.sleep(60)'])", overMemory, AppLimits{Memory: 150_000_000}},
		{"too much in memory, mapped nowhere",
			"import os, time; f = os.memfd_create('x'); [os.write(f, bytes(1_000_000)) for _ in range(200)]; time.sleep(60)", overMemory,
			AppLimits{Memory: 150_000_000}},
		{"too much disk", "import time; open('x', 'wb').write(bytes(30_000_000)); time.sleep(60)", overDisk, AppLimits{Disk: 20_000_000}},
		{"too long", "import time; time.sleep(60)", overTime, AppLimits{Time: 300 * time.Millisecond}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			room := &apphost.Room{Dir: t.TempDir()}
			if err := room.Make(); err != nil {
				t.Fatal(err)
			}
			child, err := keeper.Start(keeper.Command{Path: "/usr/bin/env", Args: []string{"python3", "-c", c.program}, Dir: room.Path(apphost.WorkDir), Env: os.Environ(), LogFile: filepath.Join(t.TempDir(), "log"), DieWithParent: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.limits.hold(t.Context(), child, room); got != c.want {
				t.Errorf("it passed %q, want %q", got, c.want)
			}
			if exit := child.Exit(); (exit.Code == 0) != (c.want == "") {
				t.Errorf("%s", exit)
			}
		})
	}
}
