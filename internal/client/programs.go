package client

// Programs are what a participant's machine can download from this server.
type Programs struct {
	Version  string        `json:"version" doc:"Of the server"`
	Programs []ProgramView `json:"programs"`
}

// ProgramView is one program to download.
type ProgramView struct {
	OS      string `json:"os" enum:"linux,darwin,windows"`
	Arch    string `json:"arch" enum:"amd64,arm64"`
	Version string `json:"version"`
	Name    string `json:"name"`
	URL     string `json:"url" doc:"No sign-in is needed; range requests are answered"`
	Size    int64  `json:"size" doc:"Bytes"`
	SHA256  string `json:"sha256" doc:"In hex"`
}
