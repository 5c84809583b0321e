package domain

// Stuck says why a SuperNode that is online takes no part in runs until it is restarted. It is empty for a good one.
type Stuck string

// How flower-supernode gets stuck (flwr 1.42, supernode/start_client_internal.py): it waits without end for the reply of a ClientApp
// that ended without one, and takes what such a ClientApp left behind for the reply to the next message.
const (
	StuckWaiting Stuck = "waiting" // it took a message, that run has ended, and it does not ask for another message
	StuckLate    Stuck = "late"    // it sends each reply only when the next message arrives
)

// Stuck returns why the SuperNode is stuck and what to do; both are empty if it is not.
func (k NodeKey) Stuck() (cause, remedy string) {
	switch k.Seen.Stuck {
	case StuckWaiting:
		cause = "This SuperNode is stuck: it still waits for the reply of a ClientApp whose run has ended."
	case StuckLate:
		cause = "This SuperNode is stuck: it sends each reply only when the next message arrives."
	default:
		return "", ""
	}
	if k.Via == "agent" {
		return cause, "Restart blossomtune join on the participant's machine."
	}
	return cause, "Restart flower-supernode on the participant's machine."
}
