package client

// Preset is a named choice of run-config values.
type Preset struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config" doc:"Values as text; keys left out are at their default"`
	Saved  bool              `json:"saved,omitempty" doc:"By a manager; else the app's own"`
	By     string            `json:"by,omitempty"`
}

// PresetConfig is what a preset is saved with.
type PresetConfig struct {
	Config map[string]ConfigValue `json:"config" doc:"Values, also as text; keys left out are at their default"`
}
