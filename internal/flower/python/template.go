package python

import _ "embed" // of the program

// ClientAppTemplate is a Python program that imports Flower once and makes a process of itself for each ClientApp, as
// keeper.Template tells it to; the arguments of each are those of flwr-clientapp.
//
//go:embed template.py
var ClientAppTemplate []byte
