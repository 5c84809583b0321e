package pyerror

import (
	"slices"
	"strings"
)

// unpacked matches where Flower unpacks an app: a folder whose name ends with the beginning of the FAB's hash.
var unpacked = lazily(`\.[0-9a-f]{8}/`)

// File is the frame's file as the app names it, "fault/server_app.py"; "" of a file that is not the app's.
func (f Frame) File() string {
	path := strings.ReplaceAll(f.Path, `\`, "/")
	at := unpacked().FindAllStringIndex(path, -1)
	if len(at) == 0 || len(path) > 1000 {
		return ""
	}
	file := path[at[len(at)-1][1]:]
	if library(file) || len(file) > 300 {
		return ""
	}
	return file
}

// Name is the last part of the frame's path.
func (f Frame) Name() string {
	path := strings.ReplaceAll(f.Path, `\`, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// library reports whether a file belongs to Python or to an installed package.
func library(path string) bool {
	path = strings.ReplaceAll(path, `\`, "/")
	if strings.HasPrefix(path, "<") {
		return true
	}
	for _, part := range []string{"site-packages/", "dist-packages/", "/lib/python", "/lib64/python", "/Lib/"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// own reports whether a frame is of the app, as far as its path tells.
func (f Frame) own() bool { return f.File() != "" || !library(f.Path) }

// AppFrame returns the deepest frame of the app in a chain of exceptions: of the one that was raised last, else of those before it.
// below are the frames of libraries under it.
func AppFrame(chain []Exception) (f Frame, below []Frame, ok bool) {
	for _, sure := range []bool{true, false} {
		for _, e := range slices.Backward(chain) {
			for i, f := range slices.Backward(e.Frames) {
				if sure && f.File() != "" || !sure && f.own() {
					return f, e.Frames[i+1:], true
				}
			}
		}
	}
	return Frame{}, nil, false
}
