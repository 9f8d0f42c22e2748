//go:build !unix

package config_test

import "errors"

func makeFIFO(string) error { return errors.ErrUnsupported }
