package domain

import (
	"strings"
	"time"
)

// MaxFAB is the largest Flower App Bundle that Flower accepts, in bytes (flower-facts: 10 MB).
const MaxFAB = 10 << 20

// AppVersion is one FAB, known by the SHA-256 of its bytes.
type AppVersion struct {
	Hash      string // hex SHA-256 of FAB
	Publisher string
	Name      string
	Version   string
	Summary   string
	Source    string // where it was found first; see [AppOrigin]
	Config    []ConfigKey
	Presets   []Preset // the app's own
	FAB       []byte   // nil where a listing does not need it
	CreatedAt time.Time
}

// Preset is a named choice of run-config values; keys left out keep the app's default.
type Preset struct {
	Name      string            `json:"name"`
	Config    map[string]string `json:"config"` // text by key, as in a form
	CreatedBy string            `json:"-"`      // empty for an app's own
	CreatedAt time.Time         `json:"-"`
}

// OriginKind says by which way an app version came.
type OriginKind string

// Ways of an app version.
const (
	OriginFolder OriginKind = "folder"
	OriginUpload OriginKind = "upload"
	OriginGit    OriginKind = "git"
)

// AppOrigin is one place that an app version came from, and who brought it. The same bytes may come from several.
type AppOrigin struct {
	Hash   string // of the app version
	Kind   OriginKind
	Place  string // the folder's name, the file's, or the repository's address
	Ref    string // of git: what was asked for
	Commit string // of git: what that was
	Folder string // of git: the folder in the repository; empty for its top
	By     string
	At     time.Time
}

// String is the origin in a few words, without who and when.
func (o AppOrigin) String() string {
	if o.Kind != OriginGit {
		return string(o.Kind) + ": " + o.Place
	}
	s := "git: " + o.Place + " at " + o.Commit
	if o.Folder != "" {
		s += ", folder " + o.Folder
	}
	return s
}

// AppUse is how often the runs that somebody may see used an app version, and the newest of those runs.
type AppUse struct {
	Hash       string
	Runs       int
	Newest     Run
	Federation Federation // its slug and name
}

// ID is the FAB id, publisher/name.
func (a AppVersion) ID() string { return a.Publisher + "/" + a.Name }

// ConfigKind is the type of a run-config value; Flower knows these four.
type ConfigKind string

// Kinds of run-config values.
const (
	KindString ConfigKind = "string"
	KindInt    ConfigKind = "int"
	KindFloat  ConfigKind = "float"
	KindBool   ConfigKind = "bool"
)

// ConfigKey is one key of an app's [tool.flwr.app.config], nested tables joined with dots.
// Help, Choices, Min and Max come from an optional [tool.blossomtune.config] table, which Flower ignores.
type ConfigKey struct {
	Key     string
	Kind    ConfigKind
	Default any // string, int64, float64 or bool
	Help    string
	Long    bool     // text of more than a line
	Choices []any    // empty: any value of the kind
	Min     *float64 // for int and float
	Max     *float64
}

// FABName is the name that Flower gives the file.
func (a AppVersion) FABName() string {
	return strings.Join([]string{a.Publisher, a.Name, strings.ReplaceAll(a.Version, ".", "-"), a.Hash[:min(8, len(a.Hash))], "fab"}, ".")
}
