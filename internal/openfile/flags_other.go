//go:build !unix

package openfile

const withoutWaiting = 0
