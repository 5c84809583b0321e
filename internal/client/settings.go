package client

// Setting is one thing that this server says of itself.
type Setting struct {
	Key     string `json:"key"`
	Label   string `json:"label"`
	Kind    string `json:"kind" enum:"line,text,colour,logo,subject,body"`
	Value   string `json:"value" doc:"What is in force"`
	Default string `json:"default"`
	Set     bool   `json:"set" doc:"An admin has set it"`
	From    string `json:"from,omitempty" doc:"Where the configuration sets it; it cannot be changed here then"`
}

// SettingsChange sets and resets settings of the site.
type SettingsChange struct {
	Values map[string]string `json:"values,omitempty" doc:"New values by key; a logo is a data: URL of an SVG or PNG"`
	Reset  []string          `json:"reset,omitempty" maxItems:"100" doc:"Keys that go back to their defaults"`
}
