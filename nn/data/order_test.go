package data

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"nctrain/internal/torchrand"
)

func fileContent(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestOrderIsRandpermOfSeedPlusEpoch(t *testing.T) {
	if got := Order(10, 40, 2); !slices.Equal(got, []int{2, 6, 1, 8, 4, 5, 0, 9, 3, 7}) { // torch.randperm(10), seed 42
		t.Errorf("order %v", got)
	}
}

func TestOODSubset(t *testing.T) {
	if got := OODSubset(10, 4); !slices.Equal(got, []int{2, 6, 1, 8}) {
		t.Errorf("4 of 10: %v", got)
	}
	for _, nID := range []int{3, 5} {
		if got := OODSubset(3, nID); !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("3 beside %d: %v, want all in order", nID, got)
		}
	}
}

func TestHoldOut(t *testing.T) {
	rest, held, err := holdOut(10, 0.3, 42)
	if err != nil || !slices.Equal(held, []int{3, 7, 9}) || !slices.Equal(rest, []int{0, 1, 2, 4, 5, 6, 8}) {
		t.Errorf("rest %v, held %v, %v: want the last three of randperm in order", rest, held, err)
	}
	if _, held, _ := holdOut(100, 0.29, 1); len(held) != 29 { // 0.29*100 is 28.999999999999996
		t.Errorf("0.29 of 100 holds out %d", len(held))
	}
	for _, fraction := range []float64{0.01, 0.99} {
		if _, _, err := holdOut(10, fraction, 1); err == nil || !strings.Contains(err.Error(), "both parts need at least one") {
			t.Errorf("%v of 10: %v", fraction, err)
		}
	}
}

func TestValIsHeldOutOfTrain(t *testing.T) {
	o := Options{Limit: 40, ValFraction: 0.25, Seed: 7}
	all := mustOpen(t, "shapes", Train, Options{Limit: 40})
	train, val, test := mustOpen(t, "shapes", Train, o), mustOpen(t, "shapes", Val, o), mustOpen(t, "shapes", Test, o)
	if train.Len() != 30 || val.Len() != 10 || test.Len() != 40 || test.Indices != nil {
		t.Fatalf("%d train, %d val, %d test", train.Len(), val.Len(), test.Len())
	}
	_, held, _ := holdOut(40, 0.25, 7)
	if !slices.Equal(val.Indices, held) {
		t.Errorf("val indices %v, want %v", val.Indices, held)
	}
	both := slices.Sorted(slices.Values(append(slices.Clone(train.Indices), val.Indices...)))
	for i, index := range both {
		if i != index {
			t.Fatalf("train and val together are %v", both)
		}
	}
	for _, s := range []*Set{train, val} {
		for i, index := range s.Indices {
			if !slices.Equal(s.Image(i), all.Image(index)) || s.Labels[i] != all.Labels[index] {
				t.Errorf("%s %d is not image %d", s.Split, i, index)
			}
		}
	}
}

// PyTorch's torch.randperm(26032) with seed 42, cut to the notebook's 10,000 (SHA-256 by torch 2.15.0 of int64 indices):
// the images of SVHN that the notebook scores.
func TestOODSubsetOfSVHN(t *testing.T) {
	got := OODSubset(26032, 10000)
	hash := sha256.New()
	for _, v := range got {
		hash.Write([]byte{byte(v), byte(v >> 8), byte(v >> 16), 0, 0, 0, 0, 0})
	}
	if len(got) != 10000 || !slices.Equal(got, torchrand.New(42).Randperm(26032)[:10000]) {
		t.Errorf("%d indices", len(got))
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != "60cf61b83f00dc664b74a08bfdf7fdbc5372ec790106df5ac7c6da4b45ca5a37" {
		t.Errorf("hash %s", sum)
	}
}
