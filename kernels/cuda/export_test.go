//go:build cuda

package cuda

import (
	"maps"
	"slices"
)

// KernelNames are those of all entries.
func KernelNames() []string { return slices.Sorted(maps.Keys(entries)) }

// Grids are those of a call's launches.
func Grids(kernel string, c *Call) (grids [][3]int) {
	for _, l := range entries[kernel].launches(c) {
		grids = append(grids, l.geometry.Grid)
	}
	return grids
}
