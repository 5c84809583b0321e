//go:build participant

package main

const (
	description = "Take part in federations of Flower with this machine. This program has the participant's commands only."
	doctorHelp  = "Check the federations that this machine has joined, and report problems with remedies."
)

// cli is the command line of the program that servers hand out to participants: no server, no database, no pages.
type cli struct {
	participantCommands
}
