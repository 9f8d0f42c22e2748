//go:build !linux

package memory

import "bytes"

// imageFile is nothing: the image is kept on the Go heap.
type imageFile struct{}

func (imageFile) size(i *Image) int64 { return int64(len(i.bytes)) }

func (imageFile) zeros() int { return 0 }

func (i *Image) fill(content []byte) error {
	if err := i.charge(len(content)); err != nil {
		return err
	}
	i.bytes = bytes.Clone(content)
	return nil
}

func (i *Image) free() error {
	i.bytes = nil
	i.uncharge()
	return nil
}
