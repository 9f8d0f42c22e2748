//go:build !linux

package memory

func threadFaults() int64 { return -1 }
