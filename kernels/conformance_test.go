package kernels

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"text/tabwriter"

	"nctrain/kernels/cpu"
)

// threadCounts that must give the same bits, more than the machine has too. The first also replays.
var threadCounts = []int{3, 1, 2, 4}

// testDevices are the devices of one instruction set on every thread count.
type testDevices []Device

func openDevices(t *testing.T, isa cpu.ISA, threads []int) testDevices {
	var out testDevices
	for _, n := range threads {
		dev, err := OpenCPU(CPUOptions{Threads: n, ISA: isa.String()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := dev.Close(); err != nil {
				t.Error(err)
			}
		})
		out = append(out, dev)
	}
	return out
}

// check runs cases on every device and compares their bits.
func (devices testDevices) check(t *testing.T, v *Variant, cases []*checkCase) CheckResult {
	t.Helper()
	var first CheckResult
	for i, dev := range devices {
		r, err := checkCases(dev, v, cases, i == 0)
		switch {
		case err != nil:
			t.Fatalf("%d threads: %v", dev.Capabilities().Threads, err)
		case i == 0:
			first = r
		case r.Digest != first.Digest:
			t.Fatalf("%v at %v: %d threads give other bits than %d", v, cases[0].shape, dev.Capabilities().Threads, devices[0].Capabilities().Threads)
		}
	}
	return first
}

// seedOf gives each test's inputs a seed of its own that does not change between runs.
func seedOf(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// Every variant of every operation conforms, at every precision, instruction set and thread count. With -v a table says how close each came to its
// bound: what stays far under it would not see a loss of precision.
func TestConformance(t *testing.T) {
	isas := cpu.SupportedISAs()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	devices := map[cpu.ISA]testDevices{}
	for _, isa := range isas {
		devices[isa] = openDevices(t, isa, threadCounts)
	}
	for _, op := range Ops() {
		t.Run(op.Name, func(t *testing.T) {
			variants := Variants(op.ID, CPU)
			if len(variants) == 0 {
				if op.Fuses == nil {
					t.Fatal("no variant")
				}
				t.Skip("not offered on the CPU: what it fuses runs one by one")
			}
			shapes := op.Shapes
			if testing.Short() {
				shapes = shapes[:2]
			}
			for _, p := range []Precision{FP32, FP64} {
				results := map[string]CheckResult{}
				for _, s := range shapes {
					cases, err := newCheckCases(op, p, s, seedOf(op.Name+s.String()))
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range variants {
						for _, isa := range isas {
							label := fmt.Sprintf("%s\t%s\t%v\t%v", op.Name, v.Name, p, isa)
							if v.Check(s, p, devices[isa][0].Capabilities()) != nil {
								continue
							}
							requireKernel(t, v, isa, p)
							r := results[label]
							r.Add(devices[isa].check(t, v, cases))
							results[label] = r
						}
					}
				}
				if len(results) == 0 {
					t.Errorf("no variant was checked at %v", p)
				}
				for label, r := range results {
					if r.Calls == 0 {
						t.Errorf("%s: nothing was checked", label)
					}
					if testing.Verbose() {
						fmt.Fprintf(table, "%s\t%.3f\t%d\t%s\n", label, r.Worst, r.Elements, r.WorstAt)
					}
				}
			}
		})
	}
	table.Flush()
}

// requireKernel fails where a row of the table has no kernel.
func requireKernel(t *testing.T, v *Variant, isa cpu.ISA, p Precision) {
	t.Helper()
	names := []string{v.KernelName()}
	if v.Pack {
		names = append(names, v.KernelName()+"_pack")
	}
	for _, name := range names {
		if !slices.Contains(cpu.Names(isa, 8*p.Size()), name) {
			t.Fatalf("kernel %s (%v, %v) is missing", name, isa, p)
		}
	}
}

// Shapes that nobody chose.
func TestConformanceAtRandomShapes(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 2
	}
	for _, isa := range cpu.SupportedISAs() {
		devices := openDevices(t, isa, []int{1, 3})
		for _, op := range Ops() {
			t.Run(fmt.Sprintf("%v/%s", isa, op.Name), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seedOf(op.Name), uint64(isa)))
				for range rounds {
					s, p := randomShape(op.ID, rng), []Precision{FP32, FP64}[rng.IntN(2)]
					cases, err := newCheckCases(op, p, s, rng.Uint64())
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range Variants(op.ID, CPU) {
						if v.Check(s, p, devices[0].Capabilities()) == nil {
							requireKernel(t, v, isa, p)
							devices.check(t, v, cases)
						}
					}
				}
			})
		}
	}
}

// randomShape is a small shape of an operation; sizes are often one, and often odd.
func randomShape(op OpID, rng *rand.Rand) Shape {
	upTo := func(n int) int { return 1 + rng.IntN(1+rng.IntN(n)) }
	switch op {
	case ConvFprop, ConvDgrad, ConvWgrad, ConvFpropBN, ConvFpropStats, ConvDgradAdd:
		s := Shape{N: upTo(4), H: upTo(11), W: upTo(11), C: upTo(40), K: upTo(40), R: 3, S: 3, Stride: 1 + rng.IntN(2), Pad: 1}
		if rng.IntN(3) == 0 {
			s.R, s.S, s.Pad = 1, 1, 0
		}
		return s
	case BNStats, BNEvalStats, BNForward, BNBackwardStats, BNBackward:
		return Shape{N: 1 + upTo(5), H: upTo(12), W: upTo(12), C: upTo(70)} // two rows at least: of one the variance is zero
	case AvgPoolForward, AvgPoolBackward:
		return Shape{N: upTo(5), H: upTo(6), W: upTo(6), C: upTo(70)}
	case LinearFprop, LinearDgrad, LinearWgrad:
		return Shape{N: upTo(40), C: upTo(80), K: upTo(40)}
	case CrossEntropy:
		return Shape{N: upTo(20), K: 1 + upTo(40), H: upTo(5)} // two classes at least: of one the gradient is zero
	case ClassMoments:
		return Shape{N: upTo(30), C: upTo(60), K: upTo(12)}
	case Augment:
		n := upTo(6)
		return Shape{N: n, H: upTo(12), W: upTo(12), C: upTo(4), K: n + rng.IntN(5), Pad: 4}
	}
	return Shape{N: upTo(3000)}
}
