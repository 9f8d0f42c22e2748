//go:build !linux

package memory

import "errors"

// pagemap exists on Linux only.
type pagemap struct{ way way }

func ways() []way { return nil }

func openPagemap(way) (*pagemap, error) { return nil, errors.ErrUnsupported }

func (*pagemap) close() error { return nil }
