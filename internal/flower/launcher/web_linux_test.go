package launcher

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

// reaches tells at the end of a process whether it can reach the machine's model hub, and ask name servers.
const reaches = `
import atexit, os, socket

def reach():
    for name, kind in (("hub", socket.SOCK_STREAM), ("datagrams", socket.SOCK_DGRAM)):
        try:
            with socket.socket(socket.AF_INET, kind) as s:
                s.connect(("127.0.0.1", int(os.environ["HUB_PORT"])))
            print("reaches", name, "yes", flush=True)
        except OSError:
            print("reaches", name, "no", flush=True)
atexit.register(reach)
`

// A ServerApp reaches the web only where its order lets it.
func TestAServerAppHasTheWebThatItsOrderSays(t *testing.T) {
	hub, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	t.Setenv("HF_ENDPOINT", "http://"+hub.Addr().String())
	_, port, _ := net.SplitHostPort(hub.Addr().String())
	const info = "probe-1.0.0.dist-info/"
	wheel := zipped(t, "probe.py", reaches, info+"METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1.0.0\n",
		info+"WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		info+"RECORD", "probe.py,,\n"+info+"METADATA,,\n"+info+"WHEEL,,\n"+info+"RECORD,,\n")
	fab := needs(t, `"flwr", "probe"`, "app_module/__init__.py", "import probe\n", "libs/probe-1.0.0-py3-none-any.whl", string(wheel))
	for answer, noWeb := range map[string]bool{"yes": false, "no": true} {
		f := withApps(t, func() ([]byte, error) { return fab, nil })
		f.order(Order{EngineRunID: run, Settings: domain.RunSettings{InstallDependencies: true, Environment: map[string]string{"HUB_PORT": port}}, NoWeb: noWeb})
		f.ended()
		text, err := os.ReadFile(filepath.Join(RunDir(f.FedDir, run), LogName))
		if err != nil || !strings.Contains(string(text), "reaches hub "+answer) || !strings.Contains(string(text), "reaches datagrams "+answer) {
			t.Errorf("no web: %v, %v:\n%s", noWeb, err, text)
		}
	}
}
