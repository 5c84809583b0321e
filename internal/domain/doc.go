// Package domain holds the nouns of a federation's life and the rules that need no I/O: which state may follow which,
// what a valid name, partition or run config is, and the one error type of the project.
// It imports nothing else of the project, so that every other package can speak in its words.
package domain
