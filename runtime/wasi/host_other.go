//go:build !linux && !darwin

package wasi

import "io/fs"

// describeSystem has nothing to add.
func describeSystem(*stat, fs.FileInfo) {}
