package main

import "errors"

// ownProgram returns "": a Windows process cannot become another program, so an update takes effect at the next start.
func ownProgram() string { return "" }

func become(string, []string) error { return errors.ErrUnsupported }
