package domain

import "time"

// MaxFAB is the largest Flower App Bundle that Flower accepts, in bytes (flower-facts: 10 MB).
const MaxFAB = 10 << 20

// AppVersion is one FAB, known by the SHA-256 of its bytes.
type AppVersion struct {
	Hash      string // hex SHA-256 of FAB
	Publisher string
	Name      string
	Version   string
	Summary   string
	Source    string // where it was found: a folder or "upload"
	Config    []ConfigKey
	FAB       []byte // nil where a listing does not need it
	CreatedAt time.Time
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
	Choices []any    // empty: any value of the kind
	Min     *float64 // for int and float
	Max     *float64
}
