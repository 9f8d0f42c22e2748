//go:build !linux

package memory

import "errors"

const keepsImage = false

// lay is not asked for where images are copied.
func (r *region) lay(*Image) error { return errors.ErrUnsupported }

// forget clears a part that is beyond the image.
func (r *region) forget(from, to uint64) error {
	if from < to {
		clear(r.between(from, to))
	}
	return nil
}
