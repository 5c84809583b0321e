package client

import (
	"blossomtune/internal/domain"
)

// Containment is how ServerApps are contained on this server.
type Containment struct {
	Level    domain.Containment `json:"level" enum:"namespaces,floor,partial,none"`
	Accepted bool               `json:"accept_uncontained" doc:"Managers can add and launch apps although the server cannot contain them (level partial or none)"`
}

// ContainmentChange accepts apps that the server cannot contain, or ends that.
type ContainmentChange struct {
	Accept bool `json:"accept_uncontained"`
}
