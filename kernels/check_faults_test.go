package kernels

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// faulty is a device with a broken kernel: it runs the true one with something changed before or after it. Its recordings hold the broken calls, as a
// broken kernel's would.
type faulty struct {
	Device
	fault func(dev Device, c *Call, run func() error) error

	capturing *[]func() error
}

func (f *faulty) Launch(v *Variant, c *Call) error {
	call := *c
	run := func() error { return f.fault(f.Device, &call, func() error { return f.Device.Launch(v, &call) }) }
	if f.capturing != nil {
		*f.capturing = append(*f.capturing, run)
		return nil
	}
	return run()
}

func (f *faulty) Capture(body func() error) (Recording, error) {
	var calls []func() error
	f.capturing = &calls
	defer func() { f.capturing = nil }()
	return faultyRecording(calls), body()
}

type faultyRecording []func() error

func (r faultyRecording) Replay() error {
	for _, call := range r {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}
func (r faultyRecording) Len() int                      { return len(r) }
func (r faultyRecording) Profile([]time.Duration) error { return r.Replay() }
func (r faultyRecording) Close() error                  { return nil }

// edit changes an operand of a call in device memory.
func (c *Call) edit(t *testing.T, dev Device, operand string, change func(v []float32)) (restore func()) {
	t.Helper()
	b := c.Operands[c.Op.Op().Index(operand)]
	v := make([]float32, b.Bytes()/4)
	if err := Download(dev, v, b); err != nil {
		t.Fatal(err)
	}
	old := append([]float32(nil), v...)
	change(v)
	if err := Upload(dev, b, v); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := Upload(dev, b, old); err != nil {
			t.Fatal(err)
		}
	}
}

// tf32 drops the mantissa bits that a tensor core's tf32 does not have, rounding.
func tf32(v []float32) { toMantissa(v, 10) }

// toMantissa rounds to so many bits of mantissa, of 23.
func toMantissa(v []float32, bits int) {
	dropped := 23 - bits
	for i, x := range v {
		v[i] = math.Float32frombits((math.Float32bits(x) + 1<<(dropped-1)) &^ (1<<dropped - 1))
	}
}

var plainConv = Shape{N: 2, H: 8, W: 8, C: 16, K: 16, R: 3, S: 3, Stride: 1, Pad: 1}

func directVariant(op OpID) *Variant {
	rows := Variants(op, CPU)
	return rows[slices.IndexFunc(rows, func(v *Variant) bool { return v.Name == "direct" })]
}

// Every broken kernel is caught, and the message says where.
func TestCheckCatches(t *testing.T) {
	dev, err := OpenCPU(CPUOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	var t0 *testing.T // of the running case

	// after changes an output once the kernel is done; during changes an operand only while it runs.
	after := func(operand string, change func(c *Call, v []float32)) func(Device, *Call, func() error) error {
		return func(dev Device, c *Call, run func() error) error {
			err := run()
			c.edit(t0, dev, operand, func(v []float32) { change(c, v) })
			return err
		}
	}
	during := func(operand string, change func(c *Call, v []float32)) func(Device, *Call, func() error) error {
		return func(dev Device, c *Call, run func() error) error {
			restore := c.edit(t0, dev, operand, func(v []float32) { change(c, v) })
			defer restore()
			return run()
		}
	}
	first := true
	for _, test := range []struct {
		name  string
		op    OpID
		shape Shape
		fault func(Device, *Call, func() error) error
		want  string // in the error
		reals bool   // check on random reals alone, where only the bound can catch it
		class Class  // of the kernel; none: its own
	}{
		{name: "one element off by a thousandth", op: ConvFprop, shape: plainConv, want: "y[n=0,p=1,q=0,k=3] = ",
			fault: after("y", func(_ *Call, v []float32) { v[8*16+3] += 1e-3 })},
		{name: "one element off by a thousandth, among reals", op: ConvFprop, shape: plainConv, want: "times its bound", reals: true,
			fault: after("y", func(_ *Call, v []float32) { v[8*16+3] += 1e-3 })},
		{name: "a tail not written", op: ConvFprop, shape: plainConv, want: "y[n=1,p=7,q=7,k=15] was not written",
			fault: func(dev Device, c *Call, run func() error) error {
				y := c.Operands[2]
				last := make([]byte, 4)
				tail := y.Slice(y.Bytes()-4, 4)
				if err := dev.Download(last, tail); err != nil {
					return err
				}
				if err := run(); err != nil {
					return err
				}
				return dev.Upload(tail, last)
			}},
		{name: "one element past the end", op: ReLUForward, shape: Shape{N: 15}, want: "wrote past y: byte 0 after its end",
			fault: func(dev Device, c *Call, run func() error) error {
				if err := run(); err != nil {
					return err
				}
				y := c.Operands[1]
				return dev.Upload(Buffer{y.addr + uintptr(y.bytes), 4}, make([]byte, 4))
			}},
		{name: "one element before the start", op: ReLUForward, shape: Shape{N: 15}, want: "wrote before x: 4 bytes before its start",
			fault: func(dev Device, c *Call, run func() error) error {
				if err := run(); err != nil {
					return err
				}
				return dev.Upload(Buffer{c.Operands[0].addr - 4, 4}, make([]byte, 4))
			}},
		{name: "an input changed", op: Add, shape: Shape{N: 15}, want: "changed its input b[i=14]",
			fault: after("b", func(_ *Call, v []float32) { v[14]++ })},
		{name: "what InOut held is ignored", op: SGD, shape: Shape{N: 15}, want: "w[i=0] = ",
			fault: func(dev Device, c *Call, run func() error) error {
				c.edit(t0, dev, "buf", func(v []float32) { clear(v) })
				return run()
			}},
		{name: "an update in spite of a loss that is not finite", op: SGD, shape: Shape{N: 15}, want: "a loss was not finite: w[i=0] = ",
			fault: func(dev Device, c *Call, run func() error) error {
				state := c.Operands[4]
				old := make([]int64, StateLen)
				if err := Download(dev, old, state); err != nil {
					return err
				}
				if err := dev.Zero(state.Slice(8*StateNonFinite, 8)); err != nil {
					return err
				}
				if err := run(); err != nil {
					return err
				}
				return Upload(dev, state, old)
			}},
		{name: "one tap dropped", op: ConvFprop, shape: plainConv, want: "y[n=0,p=0,q=0,k=0] = ",
			fault: during("w", func(c *Call, v []float32) {
				for k := range c.Shape.K {
					at := (k*9 + 8) * c.Shape.C
					clear(v[at : at+c.Shape.C])
				}
			})},
		{name: "one tap dropped, among reals", op: ConvFprop, shape: plainConv, want: "times its bound", reals: true,
			fault: during("w", func(c *Call, v []float32) {
				for k := range c.Shape.K {
					at := (k*9 + 8) * c.Shape.C
					clear(v[at : at+c.Shape.C])
				}
			})},
		{name: "products of 10-bit mantissas", op: ConvFprop, shape: plainConv, want: "times its bound", fault: during("x", func(_ *Call, v []float32) { tf32(v) })},
		{name: "products of 10-bit mantissas in a long sum", op: ConvFprop, shape: Shape{N: 1, H: 4, W: 4, C: 512, K: 16, R: 3, S: 3, Stride: 1, Pad: 1},
			want: "times its bound", fault: during("x", func(_ *Call, v []float32) { tf32(v) })},
		{name: "products of 10-bit mantissas under the bound of a transform", op: ConvFprop, shape: plainConv, class: WinogradSum,
			want: "times its bound", fault: during("x", func(_ *Call, v []float32) { tf32(v) })},
		{name: "a gradient in 10-bit mantissas", op: ConvWgrad, shape: plainConv, want: "times its bound", fault: during("dy", func(_ *Call, v []float32) { tf32(v) })},
		{name: "variance as E[x^2] - mean^2", op: BNStats, shape: Shape{N: 4, H: 8, W: 8, C: 16}, want: "invstd[i=",
			fault: func(dev Device, c *Call, run func() error) error {
				err := run()
				x := make([]float32, c.Shape.Rows()*c.Shape.C)
				if err := Download(dev, x, c.Operands[0]); err != nil {
					return err
				}
				c.edit(t0, dev, "invstd", func(v []float32) {
					for j := range v {
						var sum, squares float32
						for i := j; i < len(x); i += len(v) {
							sum += x[i]
							squares += x[i] * x[i]
						}
						mean := sum / float32(c.Shape.Rows())
						v[j] = float32(1 / math.Sqrt(float64(squares/float32(c.Shape.Rows())-mean*mean)+1e-5))
					}
				})
				return err
			}},
		{name: "a running variance off by a ten-thousandth", op: BNStats, shape: Shape{N: 4, H: 8, W: 8, C: 16}, want: "running_var[i=0] = ",
			fault: after("running_var", func(_ *Call, v []float32) {
				for i := range v {
					v[i] *= 0.9999
				}
			})},
		{name: "the ReLU forgotten", op: BNForward, shape: Shape{N: 2, H: 8, W: 8, C: 16}, want: "ReLU",
			fault: func(_ Device, c *Call, run func() error) error { c.Flags &^= ReLU; return run() }},
		{name: "the residual forgotten", op: BNForward, shape: Shape{N: 2, H: 8, W: 8, C: 16}, want: "y[n=0,h=0,w=0,c=",
			fault: func(_ Device, c *Call, run func() error) error { c.Operands[5] = Buffer{}; return run() }},
		{name: "the mask at zero", op: BNBackward, shape: Shape{N: 2, H: 8, W: 8, C: 16}, want: "ReLU",
			fault: during("y", func(_ *Call, v []float32) {
				for i := range v {
					v[i] += 0x1p-20
				}
			})},
		{name: "the crop not random", op: Augment, shape: Shape{N: 4, H: 32, W: 32, C: 3, K: 9, Pad: 4}, want: "RandomCropFlip",
			fault: func(_ Device, c *Call, run func() error) error { c.Flags = 0; return run() }},
		{name: "the loss of the wrong slot", op: CrossEntropy, shape: Shape{N: 4, K: 10, H: 3}, want: "losses[i=",
			fault: func(dev Device, c *Call, run func() error) error {
				state := c.Operands[2].Slice(8*StateSlot, 8)
				slot := make([]int64, 1)
				if err := Download(dev, slot, state); err != nil {
					return err
				}
				if err := Upload(dev, state, []int64{slot[0] + 1}); err != nil {
					return err
				}
				if err := run(); err != nil {
					return err
				}
				return Upload(dev, state, slot)
			}},
		{name: "other bits in a replay", op: Add, shape: Shape{N: 15}, want: "replay 1: y[i=2] = ",
			fault: func(dev Device, c *Call, run func() error) error {
				if err := run(); err != nil || first {
					first = false
					return err
				}
				c.edit(t0, dev, "y", func(v []float32) { v[2] = math.Nextafter32(v[2], 10) })
				return nil
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t0 = t
			op := test.op.Op()
			v := directVariant(test.op)
			if test.class != (Class{}) {
				transformed := *v
				transformed.Class = test.class
				v = &transformed
			}
			cases, err := newCheckCases(op, FP32, test.shape, 1)
			if err != nil {
				t.Fatal(err)
			}
			if test.reals {
				cases = cases[1:]
			}
			if _, err := checkCases(dev, v, cases, true); err != nil {
				t.Fatalf("the true kernel: %v", err)
			}
			first = true
			_, err = checkCases(&faulty{Device: dev, fault: test.fault}, v, cases, true)
			if err == nil {
				t.Fatal("not caught")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q does not say %q", err, test.want)
			}
			t.Log(err)
		})
	}
}

// Products of factors that are rounded as a precision says pass, and those of factors with two bits less are caught, in sums of every length.
func TestCheckCatchesRoughProducts(t *testing.T) {
	dev, err := OpenCPU(CPUOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for _, test := range []struct {
		p    Precision
		bits int
	}{{TF32, 10}, {BF16, 7}} {
		for _, call := range []struct {
			op      OpID
			shape   Shape
			factors [2]string
		}{
			{ConvFprop, plainConv, [2]string{"x", "w"}},
			{ConvFprop, Shape{N: 1, H: 4, W: 4, C: 512, K: 16, R: 3, S: 3, Stride: 1, Pad: 1}, [2]string{"x", "w"}},
			{ConvWgrad, plainConv, [2]string{"x", "dy"}},
			{LinearFprop, Shape{N: 128, C: 64, K: 100}, [2]string{"x", "w"}},
		} {
			v := *directVariant(call.op)
			v.Precisions = []Precision{test.p}
			cases, err := newCheckCases(call.op.Op(), test.p, call.shape, 1)
			if err != nil {
				t.Fatal(err)
			}
			with := func(bits int) error {
				_, err := checkCases(&faulty{Device: dev, fault: func(dev Device, c *Call, run func() error) error {
					for _, operand := range call.factors {
						defer c.edit(t, dev, operand, func(f []float32) { toMantissa(f, bits) })()
					}
					return run()
				}}, &v, cases, false)
				return err
			}
			if err := with(test.bits); err != nil {
				t.Errorf("%d bits: %v", test.bits, err)
			}
			if err := with(test.bits - 2); err == nil || !strings.Contains(err.Error(), "times its bound") {
				t.Errorf("%v %v at %v, factors of %d bits of mantissa: error %v, want one out of bound", call.op, test.p, call.shape, test.bits-2, err)
			}
		}
	}
}

// What a device does wrong around a kernel is caught too.
func TestCheckCatchesDevices(t *testing.T) {
	dev, err := OpenCPU(CPUOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	v := Variants(Add, CPU)[0]
	for _, test := range []struct {
		name, want string
		dev        Device
	}{
		{"a capture that runs", "capture: ran what it should only have recorded", eagerCapture{dev}},
		{"a replay that allocates", "a replay allocates", &faulty{Device: dev, fault: func(_ Device, _ *Call, run func() error) error {
			sink = append([]byte(nil), "anything"...)
			return run()
		}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Check(test.dev, v, FP32, Shape{N: 16}, 1)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
		})
	}
}

var sink []byte

type eagerCapture struct{ Device }

func (e eagerCapture) Capture(body func() error) (Recording, error) {
	if err := body(); err != nil {
		return nil, err
	}
	return e.Device.Capture(body)
}

// A variant that the table gives no kernel, or that cannot do a call, is an error that says so, never a pass.
func TestCheckNeedsAKernel(t *testing.T) {
	dev, err := OpenCPU(CPUOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for _, test := range []struct {
		v    Variant
		p    Precision
		want string
	}{
		{Variant{Op: Add, Name: "absent", Kind: CPU, Precisions: float32Only, Class: Float32Sum}, FP32, "no kernel add_absent"},
		{Variant{Op: Add, Name: "direct", Kind: CPU, Precisions: float32Only, Class: Float32Sum}, FP64, "has no fp64"},
		{Variant{Op: Add, Name: "direct", Kind: CUDA, Precisions: float32Only, Class: Float32Sum}, FP32, "is for cuda, this device is cpu"},
	} {
		if _, err := Check(dev, &test.v, test.p, Shape{N: 4}, 1); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}
