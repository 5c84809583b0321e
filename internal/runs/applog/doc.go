// Package applog reads a ServerApp's log: the rounds, the metrics that only the log has, and what the app is doing now.
//
// It holds what Flower and apps print, and nothing else: it reads no file, knows no run, and judges nothing. Why a run failed or
// what it waits for is for package diagnose.
package applog
