package program

import (
	"os"
	"runtime"
	"sync"
)

// ownPath marks our own binary among the programs.
const ownPath = "."

// openOwn opens the binary that runs. On Linux that is the running file itself, also after an update has put another one in its place.
func openOwn() (*os.File, error) {
	if runtime.GOOS == "linux" {
		return os.Open("/proc/self/exe")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.Open(self)
}

// ownProgram describes the binary that runs, without its version. It is read once.
var ownProgram = sync.OnceValues(func() (Program, error) {
	p := Program{OS: runtime.GOOS, Arch: runtime.GOARCH, Name: nameOf(runtime.GOOS, runtime.GOARCH), path: ownPath}
	f, err := openOwn()
	if err != nil {
		return p, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return p, err
	}
	p.Size = info.Size()
	p.SHA256, err = hash(f)
	return p, err
})
