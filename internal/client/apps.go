package client

import (
	"time"
)

// App is one app version.
type App struct {
	Hash      string      `json:"hash" doc:"SHA-256 of the FAB"`
	ID        string      `json:"id" doc:"publisher/name"`
	Version   string      `json:"version"`
	Summary   string      `json:"summary"`
	Source    string      `json:"source" doc:"Where it came from first"`
	Config    []ConfigKey `json:"config"`
	Origins   []AppOrigin `json:"origins,omitempty" doc:"Of one version: every place that it came from"`
	Presets   []Preset    `json:"presets" doc:"The app's own"`
	CreatedAt time.Time   `json:"created_at"`
}

// ConfigKey is one key of an app's run config.
type ConfigKey struct {
	Key     string   `json:"key"`
	Kind    string   `json:"kind" enum:"string,int,float,bool"`
	Default any      `json:"default" doc:"Of the key's kind; a float that is no JSON number is the text inf, -inf or nan"`
	Help    string   `json:"help,omitempty"`
	Long    bool     `json:"long,omitempty" doc:"Text of more than a line"`
	Choices []any    `json:"choices,omitempty"`
	Min     *float64 `json:"min,omitempty"`
	Max     *float64 `json:"max,omitempty"`
}

// AppOrigin is one place that an app version came from.
type AppOrigin struct {
	Kind   string    `json:"kind" enum:"folder,upload,git"`
	Place  string    `json:"place" doc:"The folder's name, the file's, or the repository"`
	Ref    string    `json:"ref,omitempty" doc:"What was asked of the repository"`
	Commit string    `json:"commit,omitempty" doc:"What that was"`
	Folder string    `json:"folder,omitempty" doc:"In the repository"`
	By     string    `json:"by,omitempty" doc:"For viewers and above"`
	At     time.Time `json:"at"`
}

// GitApp names an app in a git repository.
type GitApp struct {
	Repository string `json:"repository" maxLength:"500" doc:"https://…, readable by everybody; for admins also a path on the server"`
	Ref        string `json:"ref,omitempty" maxLength:"200" doc:"A commit in full, a tag or a branch; left out: the main branch"`
	Folder     string `json:"folder,omitempty" maxLength:"300" doc:"Of the app in the repository; left out: its top"`
}
