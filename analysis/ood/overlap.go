package ood

import (
	"fmt"
	"hash/maphash"
	"strings"
	"unsafe"

	"nctrain/analysis"
)

// rowIndex holds the hashes of the rows of the fit sets. Two different rows share a 64-bit hash with a probability of about 1e-10 for sets of CIFAR's size.
type rowIndex struct {
	seed maphash.Seed
	rows map[uint64]struct{}
}

func newRowIndex() *rowIndex { return &rowIndex{maphash.MakeSeed(), map[uint64]struct{}{}} }

// hashes gives the hash of each row's features. It is safe for concurrent use, as find is.
func (x *rowIndex) hashes(b *analysis.Block) []uint64 {
	out, d := make([]uint64, b.N), len(b.Features)/b.N
	for i := range out {
		row := b.Features[i*d : (i+1)*d]
		out[i] = maphash.Bytes(x.seed, unsafe.Slice((*byte)(unsafe.Pointer(&row[0])), 8*d))
	}
	return out
}

func (x *rowIndex) add(hashes []uint64) {
	for _, hash := range hashes {
		x.rows[hash] = struct{}{}
	}
}

// find lists which rows of b (by index within it) occur in the fit sets.
func (x *rowIndex) find(b *analysis.Block) (at []int) {
	if len(x.rows) == 0 {
		return nil
	}
	for i, hash := range x.hashes(b) {
		if _, there := x.rows[hash]; there {
			at = append(at, i)
		}
	}
	return at
}

// judgeOverlap decides what rows shared by a scored set of n rows and the fit sets mean: a warning that counts and lists them, an error above 1 % unless allowed.
func judgeOverlap(name string, rows []int, n int, drop, allow bool) (warning string, err error) {
	if len(rows) == 0 {
		return "", nil
	}
	const listed = 20
	var list []string
	for _, r := range rows[:min(listed, len(rows))] {
		list = append(list, fmt.Sprint(r))
	}
	more := ""
	if len(rows) > listed {
		more = fmt.Sprintf(" and %d more", len(rows)-listed)
	}
	text := fmt.Sprintf("%s: %d of %d rows also occur in a fit set (rows %s%s)", name, len(rows), n, strings.Join(list, ", "), more)
	if 100*len(rows) > n && !allow {
		return "", fmt.Errorf("analysis: %s: score sets that are apart from the fit sets, or pass --allow-overlap", text)
	}
	if drop {
		return text + "; they are left out", nil
	}
	return text + "; they stay in, as in published tables (--drop-overlap leaves them out)", nil
}
