package cpu

import (
	"encoding/json"
	"os"
	"strconv"
	"testing"
)

// With fused multiply-adds the update has the bits of PyTorch's CPU kernels, so that long runs can be compared with it step by step.
func TestSGDHasPyTorchsBits(t *testing.T) {
	file, err := os.ReadFile("testdata/sgd_torch.json")
	if err != nil {
		t.Fatal(err)
	}
	type run struct {
		W         []string
		Gradients [][]string
		WAfter    []string `json:"w_after"`
		BufAfter  []string `json:"buf_after"`
	}
	var golden struct {
		LR          float64 `json:"lr"`
		Momentum    float64 `json:"momentum"`
		WeightDecay float64 `json:"weight_decay"`
		Bits32      run     `json:"bits32"`
		Bits64      run     `json:"bits64"`
	}
	if err := json.Unmarshal(file, &golden); err != nil {
		t.Fatal(err)
	}
	pool, err := NewPool(2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, isa := range SupportedISAs() {
		if isa == Baseline {
			continue // SSE2 has no fused multiply-add
		}
		for bits, r := range map[int]run{32: golden.Bits32, 64: golden.Bits64} {
			k, _ := Find("sgd_direct", isa, bits)
			n := len(r.W)
			zero := make([]float64, n)
			call, x := prepare(t, k, bits, Shape{N: int64(n)}, []arg{
				{in: zero}, {in: zero}, {in: zero}, {kind: float64Kind, in: []float64{golden.LR}}, {kind: int64Kind, in: make([]float64, 8)},
			}, 0)
			call.Scalar[0], call.Scalar[1] = golden.Momentum, golden.WeightDecay
			setBits(t, x[0], r.W)
			for _, g := range r.Gradients {
				setBits(t, x[1], g)
				Run(k, call, pool)
			}
			checkBits(t, isa, "w", x[0], r.WAfter)
			checkBits(t, isa, "buf", x[2], r.BufAfter)
		}
	}
}

func setBits(t *testing.T, x tensor, text []string) {
	t.Helper()
	for i, s := range text {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if x.bits == 32 {
			view[uint32](x, len(text))[i] = uint32(v)
		} else {
			view[uint64](x, len(text))[i] = v
		}
	}
}

func checkBits(t *testing.T, isa ISA, name string, x tensor, text []string) {
	t.Helper()
	for i, want := range text {
		got := uint64(0)
		if x.bits == 32 {
			got = uint64(view[uint32](x, len(text))[i])
		} else {
			got = view[uint64](x, len(text))[i]
		}
		if strconv.FormatUint(got, 10) != want {
			t.Errorf("%v, %d bits: %s[%d] has the bits %d, PyTorch's are %s", isa, x.bits, name, i, got, want)
		}
	}
}
