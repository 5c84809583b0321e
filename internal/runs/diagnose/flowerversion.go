package diagnose

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"blossomtune/internal/domain"

	"github.com/pelletier/go-toml/v2"
)

// otherFlower is the cause of a ServerApp that uses a part of Flower which the installed version lacks.
func (f Facts) otherFlower(part, place string) (message, remedy string) {
	message = fmt.Sprintf("The app is written for another Flower version: flwr %s has no %s%s.", f.Flwr, part, place)
	if asks := f.appFlwr(); asks != "" {
		message = strings.TrimSuffix(message, ".") + fmt.Sprintf("; its pyproject.toml asks for %s.", asks)
	}
	return message, fmt.Sprintf("Update the app for Flower %s (Flower's documentation has upgrade guides), set flwr in its pyproject.toml to match, and add the new version.", f.Flwr)
}

// appFlwr is what a run's app asks of Flower, as its pyproject.toml writes it: "flwr>=1.8,<1.9"; "" where that is not known.
func (f Facts) appFlwr() string { return flwrOf(appFile(f.App.FAB, "pyproject.toml")) }

// maxAppFile bounds what is read of one file of an app, in bytes.
const maxAppFile = 1 << 20

// appFile reads one file of a FAB; "" where it has none such or is not readable.
func appFile(fab []byte, name string) string {
	z, err := zip.NewReader(bytes.NewReader(fab), int64(len(fab)))
	if err != nil {
		return ""
	}
	for _, f := range z.File {
		if f.Name == name {
			return textOf(f)
		}
	}
	return ""
}

func textOf(f *zip.File) string {
	r, err := f.Open()
	if err != nil {
		return ""
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxAppFile))
	if err != nil {
		return ""
	}
	return string(text)
}

var flwrNeed = regexp.MustCompile(`(?i)^flwr(?:\[[^\]]*\])?\s*([^;]*)`)

// flwrOf finds what a pyproject.toml asks of Flower.
func flwrOf(text string) string {
	var p struct {
		Project struct {
			Dependencies []string `toml:"dependencies"`
		} `toml:"project"`
	}
	if err := toml.Unmarshal([]byte(text), &p); err != nil {
		return ""
	}
	for _, d := range p.Project.Dependencies {
		if m := flwrNeed.FindStringSubmatch(strings.TrimSpace(d)); m != nil && (m[1] == "" || strings.ContainsAny(m[1][:1], "<>=!~( @")) {
			return domain.Cut(strings.TrimSpace("flwr"+strings.ReplaceAll(strings.Trim(m[1], " ()"), " ", "")), 100)
		}
	}
	return ""
}
