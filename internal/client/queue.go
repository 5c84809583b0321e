package client

import (
	"time"
)

// RunSettings is how the engine runs an app. The values of environment variables are not told.
type RunSettings struct {
	InstallDependencies bool     `json:"install_dependencies"`
	PackageIndex        string   `json:"package_index,omitempty"`
	Environment         []string `json:"environment,omitempty" doc:"The names of the variables"`
	CPUs                int      `json:"cpus,omitempty" doc:"0: all"`
	MemoryMB            int      `json:"memory_mb,omitempty" doc:"0: no limit"`
	LogLevel            string   `json:"log_level,omitempty"`
	Limits
}

// Limits end a run that takes too long; 0 is no limit.
type Limits struct {
	Wall           float64 `json:"wall_seconds"`
	Round          float64 `json:"round_seconds"`
	NoProgress     float64 `json:"no_progress_seconds"`
	FirstHeartbeat float64 `json:"first_heartbeat_seconds"`
}

// LaunchSettings is how a run is launched; what is left out is as the federation has it.
type LaunchSettings struct {
	InstallDependencies *bool             `json:"install_dependencies,omitempty"`
	PackageIndex        string            `json:"package_index,omitempty" doc:"https; left out: as the server's machine is configured. Participants' machines use their own"`
	Environment         map[string]string `json:"environment,omitempty" doc:"Environment variables of the ServerApp; values are never shown again"`
	CPUs                int               `json:"cpus,omitempty" doc:"Cores that the ServerApp may use; 0: all"`
	MemoryMB            int               `json:"memory_mb,omitempty" doc:"What its processes may hold together; 0: no limit"`
	LogLevel            string            `json:"log_level,omitempty" enum:"DEBUG,INFO,WARNING,ERROR"`
	LimitChanges
}

// LimitChanges are limits in seconds, 0 for none; those left out stay.
type LimitChanges struct {
	Wall           *float64 `json:"wall_seconds,omitempty" minimum:"0" maximum:"2592000"`
	Round          *float64 `json:"round_seconds,omitempty" minimum:"0" maximum:"2592000"`
	NoProgress     *float64 `json:"no_progress_seconds,omitempty" minimum:"0" maximum:"2592000"`
	FirstHeartbeat *float64 `json:"first_heartbeat_seconds,omitempty" minimum:"0" maximum:"2592000"`
}

// RunClone is a run to launch again, with changes.
type RunClone struct {
	Name      string                 `json:"name,omitempty" doc:"The Run ID; left out: the next free one"`
	Config    map[string]ConfigValue `json:"config,omitempty" doc:"Values that differ from the run, also as text"`
	Note      *string                `json:"note,omitempty"`
	Tags      []string               `json:"tags,omitempty"`
	NotBefore time.Time              `json:"not_before,omitzero"`
	Override  string                 `json:"override,omitempty"`
}

// RunMove is a queued run's new place.
type RunMove struct {
	Place int `json:"place" minimum:"1" doc:"1 is the next; beyond the end is the last"`
}

// RunPolicy is how a federation runs.
type RunPolicy struct {
	Parallel int    `json:"parallel" doc:"Runs at once"`
	IdleStop int    `json:"idle_stop_minutes" doc:"Minutes without a run after which the SuperLink stops until the next; 0: never"`
	Web      bool   `json:"web_access" doc:"ServerApps can reach web servers (TCP 443 and 80). A change holds for runs that start afterwards."`
	Engine   string `json:"engine" enum:"default,builtin,flower" doc:"The federation's SuperLink: part of this program, Flower's own, or the server's default"`
	Limits
}

// RunPolicyChange changes how a federation runs; fields left out stay.
type RunPolicyChange struct {
	Parallel *int   `json:"parallel,omitempty"`
	IdleStop *int   `json:"idle_stop_minutes,omitempty"`
	Web      *bool  `json:"web_access,omitempty"`
	Engine   string `json:"engine,omitempty" enum:"default,builtin,flower" doc:"The SuperLink. It changes only while no run is in progress."`
	LimitChanges
}
