package ood

import (
	"cmp"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// TestBankInMemoryAndInAFile: the same neighbours from both, those of a full sort, across more than one block of rows; the file has no name.
func TestBankInMemoryAndInAFile(t *testing.T) {
	const n, d, queries, k = 2*bankRows + 37, 5, 9, 12
	t.Setenv("TMPDIR", t.TempDir())
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		return x
	}
	rows, query := draw(n*d), draw(queries*d)
	for _, limit := range []int64{0, 1 << 30} {
		b, err := newBank(n, d, limit)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			b.add(rows[i*d : (i+1)*d])
		}
		if err := b.seal(); err != nil {
			t.Fatal(err)
		}
		if limit == 0 && canMap && b.unmap == nil {
			t.Error("the bank is not mapped")
		}
		if left, _ := os.ReadDir(os.TempDir()); len(left) > 0 {
			t.Errorf("%s is left in the directory for temporary files", left[0].Name())
		}
		for i, got := range b.largest(query, queries, k) {
			want := make([]neighbour, n)
			for j := range want {
				want[j] = neighbour{j, floats.Dot(query[i*d:(i+1)*d], rows[j*d:(j+1)*d])}
			}
			falling := func(a, b neighbour) int { return cmp.Compare(b.product, a.product) }
			slices.SortFunc(want, falling)
			slices.SortFunc(got, falling)
			if len(got) != k {
				t.Fatalf("%d neighbours", len(got))
			}
			for j := range got {
				if got[j].row != want[j].row {
					t.Errorf("limit %d, query %d: neighbour %d is row %d, want %d", limit, i, j, got[j].row, want[j].row)
				}
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBankSaysWhereThereIsNoRoom(t *testing.T) {
	if !canMap {
		t.Skip("banks lie in memory on this system")
	}
	t.Setenv("TMPDIR", "/nowhere/at/all")
	if _, err := newBank(10, 10, 0); err == nil {
		t.Error("a bank was made in a directory that is not there")
	}
}
