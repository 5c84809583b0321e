package python

import (
	_ "embed" // of the programs
	"fmt"
	"os"
	"path/filepath"
)

// ClientAppTemplate is a Python program that imports Flower once and makes a process of itself for each ClientApp, as
// keeper.Template tells it to; the arguments of each are those of flwr-clientapp.
//
//go:embed template.py
var ClientAppTemplate []byte

// AppProgram is Flower's program for an app by the name of the file that it is in, with more time for its end than Flower leaves it.
//
//go:embed app.py
var AppProgram []byte

// The programs of Flower that [Env.AppCommand] starts.
const (
	ServerApp = "flwr-serverapp"
	ClientApp = "flwr-clientapp"
)

// AppCommand returns the command that runs Flower's program for an app, with more time for its end than Flower leaves it. The program
// is written into dir.
func (e Env) AppCommand(dir, name string, args []string) (path string, all []string, err error) {
	file := filepath.Join(dir, name+".py")
	if err := os.WriteFile(file, AppProgram, 0o600); err != nil {
		return "", nil, fmt.Errorf("writing the program for an app: %w", err)
	}
	// Without -P, the app would find modules beside that file.
	return e.Bin("python"), append([]string{"-P", file}, args...), nil
}
