package python

import _ "embed" // of the programs

// ClientAppTemplate is a Python program that imports Flower once and makes a process of itself for each ClientApp, as
// keeper.Template tells it to; the arguments of each are those of flwr-clientapp.
//
//go:embed template.py
var ClientAppTemplate []byte

// AppProgram is Flower's program for an app by the name of the file that it is in, with more time for its end than Flower leaves it.
//
//go:embed app.py
var AppProgram []byte

// The programs of Flower for apps.
const (
	ServerApp = "flwr-serverapp"
	ClientApp = "flwr-clientapp"
)
