//go:build !unix

package ood

import (
	"errors"
	"os"
)

// canMap is false where files cannot be mapped: a bank then lies in memory, whatever its size.
const canMap = false

func mapFloats(*os.File, int) ([]float64, func() error, error) {
	return nil, nil, errors.ErrUnsupported
}
