package kernels

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The layers of ResNet-18 at the notebook's width and batch; with -short those of a small network, so that CI can run each once (-benchtime=1x).
func benchSize() (width, batch int) {
	if testing.Short() {
		return 8, 4
	}
	return 64, 128
}

func BenchmarkConv(b *testing.B) {
	benchOps(b, "conv_", ConvFprop, ConvDgrad, ConvWgrad, ConvFpropBN, ConvFpropStats, ConvDgradAdd)
}

func BenchmarkBN(b *testing.B) {
	benchOps(b, "bn_", BNStats, BNEvalStats, BNForward, BNBackwardStats, BNBackward)
}

func BenchmarkLinear(b *testing.B) {
	benchOps(b, "linear_", LinearFprop, LinearDgrad, LinearWgrad)
}

func BenchmarkElementwise(b *testing.B) {
	benchOps(b, "", ReLUForward, ReLUBackward, Add, AvgPoolForward, AvgPoolBackward, CrossEntropy, Augment, SGD, Advance)
}

func BenchmarkClassMoments(b *testing.B) { benchOps(b, "", ClassMoments) }

// benchOps names its benchmarks for benchstat: BenchmarkConv/fprop/device=cuda/precision=tf32/variant=mma/shape=64x32x32_k64_3x3_s1/batch=128. The devices are the cpu
// and a card where there is one, at each precision but the tests' float64.
func benchOps(b *testing.B, prefix string, ids ...OpID) {
	width, batch := benchSize()
	for _, dev := range benchDevices(b) {
		for _, p := range dev.Capabilities().Precisions {
			if p == FP64 {
				continue
			}
			for _, id := range ids {
				for _, v := range Variants(id, dev.Kind()) {
					for _, s := range LayerShapes(id, width, batch) {
						if v.Check(s, p, dev.Capabilities()) == nil {
							b.Run(strings.TrimPrefix(id.String(), prefix)+"/"+benchName(v, p, s, batch), func(b *testing.B) { benchVariant(b, dev, v, p, s) })
						}
					}
				}
			}
		}
	}
}

// benchDevices opens the devices that have a speed.
func benchDevices(b *testing.B) []Device {
	devices := []Device{openCPU(b)}
	if HaveCard() {
		dev, err := OpenCUDA()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { dev.Close() })
		devices = append(devices, dev)
	}
	return devices
}

// benchName leaves the batch out of the shape where it leads it.
func benchName(v *Variant, p Precision, s Shape, batch int) string {
	return fmt.Sprintf("device=%v/precision=%v/variant=%s/shape=%s/batch=%d", v.Kind, p, v.Name, strings.TrimPrefix(s.String(), fmt.Sprintf("%dx", batch)), batch)
}

func benchVariant(b *testing.B, dev Device, v *Variant, p Precision, s Shape) {
	o := BenchOptions{Roofline: measuredRoofline(b, dev, p)}.withDefaults()
	if testing.Short() {
		o.CacheBytes = 1
	}
	run, err := newBenchRun(dev, v, p, s, o)
	if err != nil {
		b.Fatal(err)
	}
	defer run.close()
	var times time.Duration
	n := 0
	for b.Loop() {
		t, err := run.time()
		if err != nil {
			b.Fatal(err)
		}
		times += t
		n++
	}
	mean := times / time.Duration(n)
	r := run.result(mean, mean, n)
	b.ReportMetric(float64(mean.Nanoseconds()), "ns/op")
	if r.Cost.Flop > 0 {
		b.ReportMetric(r.GFLOPS, "GFLOP/s")
	}
	b.ReportMetric(r.GBps, "GB/s")
	b.ReportMetric(100*r.Share, "%roofline")
}

func openCPU(tb testing.TB) Device {
	dev, err := OpenCPU(CPUOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { dev.Close() })
	return dev
}

// rooflines are those that this test binary has measured.
var rooflines sync.Map

func measuredRoofline(tb testing.TB, dev Device, p Precision) Roofline {
	type key struct {
		kind Kind
		p    Precision
	}
	if r, ok := rooflines.Load(key{dev.Kind(), p}); ok {
		return r.(Roofline)
	}
	r, err := MeasureRoofline(dev, p)
	if err != nil {
		tb.Fatal(err)
	}
	rooflines.Store(key{dev.Kind(), p}, r)
	return r
}

// The sums are those of ResNet-18 for 32x32 images as published elsewhere: 11.2 M parameters, 0.56 G multiply-adds an image.
func TestLayerShapesAreResNet18(t *testing.T) {
	if n := resNetParameters(64); n != 11220132 { // PyTorch: sum(p.numel() for p in ResNet18(num_classes=100).parameters())
		t.Errorf("%d parameters, want 11,220,132", n)
	}
	if ends := tensorsOf(SGD, Shape{N: 11220132}); len(ends) != 62 || ends[0] != 1728 || ends[60] != 11220032 {
		t.Errorf("tensors end at %v, want the 62 of the network", ends)
	}
	macs := 0.0
	for _, s := range resNetConvolutions(64, 1) {
		macs += ConvFprop.Op().Flop(s) / 2
	}
	if math.Round(macs/1e6) != 555 {
		t.Errorf("%.1f M multiply-adds an image, want 555 M", macs/1e6)
	}
	if n := len(resNetConvolutions(64, 1)); n != 20 {
		t.Errorf("%d convolutions, want 17 of 3x3 and 3 of 1x1", n)
	}
	var names []string
	for _, s := range LayerShapes(ConvFprop, 64, 128) {
		names = append(names, s.String())
	}
	want := []string{"128x32x32x3_k64_3x3_s1", "128x32x32x64_k64_3x3_s1",
		"128x32x32x64_k128_3x3_s2", "128x16x16x128_k128_3x3_s1", "128x32x32x64_k128_1x1_s2",
		"128x16x16x128_k256_3x3_s2", "128x8x8x256_k256_3x3_s1", "128x16x16x128_k256_1x1_s2",
		"128x8x8x256_k512_3x3_s2", "128x4x4x512_k512_3x3_s1", "128x8x8x256_k512_1x1_s2"}
	if !slices.Equal(names, want) {
		t.Errorf("convolutions %v, want %v", names, want)
	}
}

// One run of every benchmark: each variant at each layer of a small network gives a time and sound rates.
func TestEveryBenchmarkRuns(t *testing.T) {
	dev := openCPU(t)
	roofline := Roofline{GFLOPS: 100, GBps: 10}
	for _, op := range Ops() {
		for _, v := range Variants(op.ID, CPU) {
			for _, s := range LayerShapes(op.ID, 8, 2) {
				if v.Check(s, FP32, dev.Capabilities()) != nil {
					continue
				}
				r, err := Bench(dev, v, FP32, s, BenchOptions{Samples: 1, CacheBytes: 1, Roofline: roofline})
				if err != nil {
					t.Fatal(err)
				}
				seconds := r.Median.Seconds()
				if r.Samples != 1 || r.Median <= 0 || r.Min != r.Median || math.Abs(r.GFLOPS*seconds*1e9-r.Cost.Flop) > 1e-6*r.Cost.Flop ||
					!(r.GBps > 0) || !(r.Share > 0) {
					t.Errorf("%v at %v: %+v", v, s, r)
				}
			}
		}
	}
}

// The whole of a benchmark's memory goes back, and a variant that cannot do a call says so.
func TestBenchFreesAndFails(t *testing.T) {
	dev := openCPU(t)
	free := slicesOfArena(dev)
	if _, err := Bench(dev, Variants(BNForward, CPU)[0], FP32, Shape{N: 2, H: 4, W: 4, C: 8}, BenchOptions{Samples: 1, CacheBytes: 1}); err != nil {
		t.Fatal(err)
	}
	if got := slicesOfArena(dev); got != free {
		t.Errorf("the arena's free memory is %v after a benchmark, was %v", got, free)
	}
	v := &Variant{Op: Add, Name: "direct", Kind: CPU, Precisions: float32Only}
	if _, err := Bench(dev, v, FP64, Shape{N: 4}, BenchOptions{}); err == nil || !strings.Contains(err.Error(), "bench add=direct fp64 at 4: add=direct: has no fp64") {
		t.Errorf("error %v", err)
	}
	v = &Variant{Op: ConvFprop, Name: "direct", Kind: CPU, Precisions: float32Only}
	huge := Shape{N: 1 << 20, H: 1 << 10, W: 1 << 8, C: 64, K: 64, R: 1, S: 1, Stride: 1}
	if _, err := Bench(dev, v, FP32, huge, BenchOptions{}); err == nil || !strings.Contains(err.Error(), "out of device memory") {
		t.Errorf("error %v", err)
	}
	if got := slicesOfArena(dev); got != free {
		t.Errorf("the arena's free memory is %v after failures, was %v", got, free)
	}
}

func slicesOfArena(dev Device) string { return fmt.Sprint(dev.(*cpuDevice).arena.free) }

// What peak_fma reaches is more than memory could feed, what peak_read reaches less than the caches'; a narrower instruction set computes less.
func TestRoofline(t *testing.T) {
	r := measuredRoofline(t, openCPU(t), FP32)
	t.Logf("%.0f GFLOP/s, %.1f GB/s", r.GFLOPS, r.GBps)
	if r.GFLOPS < 1 || r.GBps < 0.5 || r.GFLOPS > 1e5 || r.GBps > 1e4 {
		t.Errorf("implausible: %+v", r)
	}
	if got := (Roofline{GFLOPS: 100, GBps: 10}).Limit(Cost{Flop: 1e9, Bytes: 1e9}); got != 0.1 {
		t.Errorf("limit %v, want memory's 0.1 s", got)
	}
	if got := (Roofline{GFLOPS: 100, GBps: 10}).Limit(Cost{Flop: 1e11, Bytes: 1e9}); got != 1 {
		t.Errorf("limit %v, want arithmetic's 1 s", got)
	}
}

// What a filter steps over is not moved; by hand: 128 images of 16x16 outputs, 64 and 128 channels.
func TestConvolutionsMoveWhatTheirWindowsReach(t *testing.T) {
	s := Shape{N: 128, H: 32, W: 32, C: 64, K: 128, R: 1, S: 1, Stride: 2}
	const pixels, w = 128 * 16 * 16, 64 * 128
	for op, want := range map[OpID]float64{
		ConvFprop: 4 * (pixels*(64+128) + w), ConvWgrad: 4 * (pixels*(64+128) + w), ConvDgradAdd: 4 * (pixels*(2*64+128) + w),
		ConvDgrad: 4 * (pixels*(4*64+128) + w), // the others become zeros
	} {
		if got := op.Op().Cost(s, FP32, nil).Bytes; got != want {
			t.Errorf("%v at %v moves %.0f bytes, want %.0f", op, s, got, want)
		}
	}
	for _, s := range []Shape{
		{N: 2, H: 9, W: 8, C: 4, K: 4, R: 3, S: 3, Stride: 1, Pad: 1}, {N: 2, H: 9, W: 8, C: 4, K: 4, R: 3, S: 3, Stride: 2, Pad: 1},
	} {
		if got, want := windowed(s), 2*9*8*4; got != want {
			t.Errorf("%v: %d of %d elements are reached", s, got, want)
		}
	}
}
