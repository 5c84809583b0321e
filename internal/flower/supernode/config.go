package supernode

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/pelletier/go-toml/v2"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

const maxProject = 1 << 20 // bytes of a pyproject.toml

// fusedConfig returns an app's run config: the defaults in its pyproject.toml, nested tables flattened with dots, and the run's own
// values in their place (flwr.common.config.get_fused_config_from_fab).
func fusedConfig(fab []byte, own map[string]*flwrpb.Scalar) (map[string]*flwrpb.Scalar, error) {
	text, err := project(fab)
	if err != nil {
		return nil, err
	}
	var p struct {
		Tool struct {
			Flwr struct {
				App struct {
					Config map[string]any `toml:"config"`
				} `toml:"app"`
			} `toml:"flwr"`
		} `toml:"tool"`
	}
	if err := toml.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), &p); err != nil {
		return nil, err
	}
	flat := map[string]any{}
	flatten(p.Tool.Flwr.App.Config, "", flat)
	config, err := wire.Scalars(flat)
	if err != nil {
		return nil, err
	}
	maps.Copy(config, own)
	return config, nil
}

func flatten(in map[string]any, prefix string, into map[string]any) {
	for k, v := range in {
		if table, ok := v.(map[string]any); ok {
			flatten(table, prefix+k+".", into)
			continue
		}
		into[prefix+k] = v
	}
}

// project returns the pyproject.toml of a FAB.
func project(fab []byte) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(fab), int64(len(fab)))
	if err != nil {
		return nil, errors.New("the app is not a zip archive")
	}
	for _, f := range z.File {
		if f.Name != "pyproject.toml" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		text, err := io.ReadAll(io.LimitReader(r, maxProject+1))
		if err == nil && len(text) > maxProject {
			err = fmt.Errorf("it has more than %d bytes", maxProject)
		}
		return text, err
	}
	return nil, errors.New("the app has none")
}

// Defaults returns an app's run config as its pyproject.toml gives it, nested tables flattened with dots.
func Defaults(fab []byte) (map[string]*flwrpb.Scalar, error) { return fusedConfig(fab, nil) }
