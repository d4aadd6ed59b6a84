package nn

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nctrain/kernels"
	"nctrain/kernels/cpu"
	"nctrain/nn/data"
)

// randomNet is a small random network in the shapes that the planner rewrites: chains of convolution, batch norm and ReLU, with values used
// several times, additions of any two values of one shape, and batch norms that are read by more than one layer.
type randomNet struct {
	Parameters
	build func(g *Graph, x *Value) (logits *Value)
}

const randomClasses = 5

func newRandomNet(dev kernels.Device, rng *rand.Rand) *randomNet {
	n := &randomNet{}
	type layer func(g *Graph, values []*Value) *Value
	var layers []layer
	channels := func(c int) int { return c }
	if dev.Capabilities().Kind == kernels.CUDA {
		channels = func(c int) int { return c / 4 * 4 } // others are for the direct variants alone
	}
	width := 4 + rng.IntN(9)
	if rng.IntN(4) == 0 {
		width = 16 + rng.IntN(3) // the default choice is another there
	}
	width = channels(width)
	stem := n.declare("stem", trained, 27, 0, width, 3, 3, 3)
	layers = append(layers, func(g *Graph, v []*Value) *Value { return g.Conv2d(v[0], stem, 2, 1) })
	// dims of every value, to know which can be added; index 0 is the image.
	type dims struct{ size, c int }
	shapes := []dims{{}, {4, width}}
	for i := range 4 + rng.IntN(12) {
		from := 1 + rng.IntN(len(shapes)-1)
		if rng.IntN(3) > 0 {
			from = len(shapes) - 1 // mostly a chain
		}
		d := shapes[from]
		name := fmt.Sprintf("l%d", i)
		switch rng.IntN(5) {
		case 0: // convolution
			k, size, stride := channels(max(4, width-4)+rng.IntN(9)), 1+2*rng.IntN(2), 1
			if d.size > 1 && rng.IntN(3) == 0 {
				stride = 2
			}
			w := n.declare(name, trained, d.c*size*size, 0, k, d.c, size, size)
			layers = append(layers, func(g *Graph, v []*Value) *Value { return g.Conv2d(v[from], w, stride, size/2) })
			d.c, d.size = k, (d.size+stride-1)/stride
		case 1, 2: // batch norm
			bn := &BatchNorm2d{
				Weight: n.declare(name+".weight", trained, 0, 1, d.c), Bias: n.declare(name+".bias", trained, 0, 0.1, d.c),
				RunningMean: n.declare(name+".rm", running, 0, 0, d.c), RunningVar: n.declare(name+".rv", running, 0, 1, d.c),
				NumBatches: n.declare(name+".nb", counter, 0, 0),
			}
			layers = append(layers, func(g *Graph, v []*Value) *Value { return g.BatchNorm(v[from], bn) })
		case 3:
			layers = append(layers, func(g *Graph, v []*Value) *Value { return g.ReLU(v[from]) })
		case 4:
			other := 1 + rng.IntN(len(shapes)-1)
			if shapes[other] != d {
				other = from
			}
			layers = append(layers, func(g *Graph, v []*Value) *Value { return g.Add(v[from], v[other]) })
		}
		shapes = append(shapes, d)
	}
	last := shapes[len(shapes)-1]
	w, b := n.declare("fc.weight", trained, last.c, 0, randomClasses, last.c), n.declare("fc.bias", trained, last.c, 0, randomClasses)
	n.build = func(g *Graph, x *Value) *Value {
		values := []*Value{x}
		for _, l := range layers {
			values = append(values, l(g, values))
		}
		return g.Linear(g.GlobalAvgPool(values[len(values)-1]), w, b)
	}
	return n
}

// sixImages is a set of six images, one of each class and the first class again, and a state with a ring of losses.
func sixImages(t *testing.T, dev kernels.Device, p kernels.Precision, slots int) (*DeviceSet, *StepState) {
	t.Helper()
	set := &data.Set{Name: "random", Classes: randomClasses, H: 8, W: 8, Images: make([]uint8, 6*8*8*3), Labels: []int32{0, 1, 2, 3, 4, 0}}
	for i := range set.Images {
		set.Images[i] = uint8(i * 37)
	}
	devSet, err := NewDeviceSet(dev, p, set, CIFARNormalization)
	if err != nil {
		t.Fatal(err)
	}
	st, err := NewStepState(dev, slots)
	if err != nil {
		t.Fatal(err)
	}
	return devSet, st
}

// trainedBits runs three steps of a random network and returns every parameter's and momentum's bytes, and the plan.
func trainedBits(t *testing.T, dev kernels.Device, seed uint64, o PlanOptions, run func(*Plan) error) ([]byte, *Plan) {
	t.Helper()
	net := newRandomNet(dev, rand.New(rand.NewPCG(seed, 0)))
	devSet, st := sixImages(t, dev, o.Precision, 3)
	if err := net.Place(dev, o.Precision); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(net.Load(net.Initial(seed)), st.SetLR(0.05)); err != nil {
		t.Fatal(err)
	}
	g := NewGraph(true)
	x, labels := g.Batch(devSet, st, 6, true)
	g.Backward(g.CrossEntropy(net.build(g, x), labels, st))
	g.Update(&net.Parameters, SGD{0.9, 5e-4}, st)
	g.Advance(st, 0)
	pool := &MemoryPool{}
	plan, err := Compile(dev, g, pool, o)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if err := st.Begin(0, 0, 0, 0, seed); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := run(plan); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	weights, err := net.Save()
	if err != nil {
		t.Fatal(err)
	}
	momentum, err := net.saveMomentum()
	if err != nil {
		t.Fatal(err)
	}
	var bits []byte
	for _, tensor := range append(weights, momentum...) {
		bits = append(bits, tensor.Data...)
		if tensor.DType == F32 && slices.ContainsFunc(View[float32](tensor), func(v float32) bool { return math.IsNaN(float64(v)) }) {
			t.Errorf("seed %d: %s has NaN", seed, tensor.Name)
		}
	}
	pool.Free()
	devSet.Free()
	st.Free()
	return bits, plan
}

// runPoisoned launches the steps one by one, and before each fills with NaN all of the plan's memory that no block owns at that step: who reads memory
// that the liveness analysis gave away, or an output that was never written, gets NaN.
func (p *Plan) runPoisoned() error {
	poison := bytes.Repeat([]byte{0xff}, p.memory.Bytes())
	for i := range p.steps {
		var owned []*block
		for _, b := range p.lives {
			if b.first <= i && i <= b.last && b.first != i { // what this step makes anew is poisoned too
				owned = append(owned, b)
			}
		}
		slices.SortFunc(owned, func(a, b *block) int { return a.offset - b.offset })
		at := 0
		for _, b := range append(owned, &block{offset: p.memory.Bytes()}) {
			if b.offset > at {
				if err := p.dev.Upload(p.memory.Slice(at, b.offset-at), poison[:b.offset-at]); err != nil {
					return err
				}
			}
			at = max(at, b.offset+b.bytes)
		}
		if err := p.launchStep(&p.steps[i]); err != nil {
			return err
		}
	}
	return p.dev.Synchronize()
}

// statisticsCheck runs plans step by step and holds what each conv_fprop_stats makes of its y against bn_stats' reference: the fusion may sum in another order,
// and be off by what bn_stats may.
type statisticsCheck struct{ calls int }

func (c *statisticsCheck) run(p *Plan) error {
	for i := range p.steps {
		s := &p.steps[i]
		if s.pack || s.node.op != kernels.ConvFpropStats {
			if err := p.launchStep(s); err != nil {
				return err
			}
			continue
		}
		c.calls++
		read := func(names ...string) (out [][]float64, err error) {
			for _, name := range names {
				v := operand(s.node, name)
				t, err := download(p.dev, p.Buffer(v), name, []int{v.Len()}, v.Type, p.precision)
				if err != nil {
					return nil, err
				}
				if t.DType == I64 {
					out = append(out, []float64{float64(View[int64](t)[0])})
				} else {
					out = append(out, reals(t))
				}
			}
			return out, nil
		}
		before, err := read("running_mean", "running_var", "num_batches_tracked")
		if err != nil {
			return err
		}
		if err := p.launchStep(s); err != nil {
			return err
		}
		names := []string{"y", "running_mean", "running_var", "num_batches_tracked", "mean", "invstd"} // the operands of bn_stats
		got, err := read(names...)
		if err != nil {
			return err
		}
		shape := kernels.Shape{N: s.node.shape.N, H: s.node.shape.P(), W: s.node.shape.Q(), C: s.node.shape.K}
		ref := &kernels.RefCall{Shape: shape, Scalars: s.node.scalars[:2], Operands: slices.Concat(got[:1], before), Tolerance: make([][]float64, len(names))}
		for _, v := range got[4:] {
			ref.Operands = append(ref.Operands, make([]float64, len(v)))
		}
		for i, v := range got[1:] {
			ref.Tolerance[i+1] = make([]float64, len(v))
		}
		kernels.BNStats.Op().Reference(ref)
		for i, name := range names[1:] {
			for j, v := range got[i+1] {
				off, bound := math.Abs(v-ref.Operands[i+1][j]), ref.Tolerance[i+1][j]*p.precision.Eps()
				if !(off <= bound) {
					return fmt.Errorf("%v at %v: %s[%d] = %v, of its y it is %v: off by %.3g, bn_stats may by %.3g", s.variant, s.node.shape, name, j, v, ref.Operands[i+1][j], off, bound)
				}
			}
		}
	}
	return p.dev.Synchronize()
}

// The planner's rewriting must not change a bit: fused and unfused, with and without memory reuse, with dead memory poisoned, with other thread counts. Where it
// fuses a batch norm's statistics with the convolution before, they are those of its output within what bn_stats may err, and the rest changes no bit of that.
func TestPlannerKeepsTheBits(t *testing.T) {
	seeds := 400
	if testing.Short() {
		seeds = 40
	}
	keepsTheBits(t, openDevice(t, 1), openDevice(t, 3), seeds)
}

// keepsTheBits holds the plans of random networks against each other; threaded is the same device with another number of threads, nil where it has none.
func keepsTheBits(t *testing.T, dev, threaded kernels.Device, seeds int) (ofStatistics int) {
	t.Helper()
	fused := 0
	check := &statisticsCheck{}
	for seed := range uint64(seeds) {
		unfused, plain := trainedBits(t, dev, seed, PlanOptions{fusions: noFusion, noReuse: true}, (*Plan).Run)
		statistics, _ := trainedBits(t, dev, seed, PlanOptions{fusions: statisticsOnly, noReuse: true}, check.run)
		for _, c := range []struct {
			name string
			want []byte
			dev  kernels.Device
			o    PlanOptions
			run  func(*Plan) error
		}{
			{"fused", unfused, dev, PlanOptions{fusions: exactFusions, noReuse: true}, (*Plan).Run},
			{"reusing memory", unfused, dev, PlanOptions{fusions: noFusion}, (*Plan).Run},
			{"fused with the statistics, reusing memory", statistics, dev, PlanOptions{}, (*Plan).Run},
			{"fused with the statistics, reusing memory, dead memory poisoned", statistics, dev, PlanOptions{}, (*Plan).runPoisoned},
			{"on three threads", statistics, threaded, PlanOptions{}, (*Plan).Run},
		} {
			if c.dev == nil {
				continue
			}
			got, plan := trainedBits(t, c.dev, seed, c.o, c.run)
			if !bytes.Equal(got, c.want) {
				t.Errorf("seed %d: %s: other bits than without", seed, c.name)
			}
			fused += len(plain.steps) - len(plan.steps)
		}
	}
	if fused == 0 {
		t.Error("nothing was fused in any network")
	}
	return check.calls
}

// evaluatedBits is the logits of two batches of a random network in evaluation, prepared once, and the plan.
func evaluatedBits(t *testing.T, dev kernels.Device, seed uint64, o PlanOptions, run func(*Plan) error) ([]byte, *Plan) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	net := newRandomNet(dev, rng)
	devSet, st := sixImages(t, dev, o.Precision, 1)
	if err := errors.Join(net.Place(dev, o.Precision), net.Load(net.Initial(seed)), st.Begin(0, 0, 0, 0, 0)); err != nil {
		t.Fatal(err)
	}
	for _, p := range net.list { // running statistics as after some training
		if p.kind == running {
			values := make([]float32, p.len())
			for i := range values {
				values[i] = 0.5 + rng.Float32()
			}
			if err := kernels.Upload(dev, p.value.buffer, values); err != nil {
				t.Fatal(err)
			}
		}
	}
	g := NewGraph(false)
	x, _ := g.Batch(devSet, st, 3, false)
	logits := g.Keep(net.build(g, x))
	g.Advance(st, 3)
	pool := &MemoryPool{}
	plan, err := Compile(dev, g, pool, o)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	var bits []byte
	if err := plan.Prepare(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		out := make([]float32, logits.Len())
		if err := errors.Join(run(plan), kernels.Download(dev, out, plan.Buffer(logits))); err != nil {
			t.Fatal(err)
		}
		bits = append(bits, NewTensor("logits", out).Data...)
	}
	pool.Free()
	devSet.Free()
	st.Free()
	return bits, plan
}

// Evaluation fuses convolutions with their batch norms, and prepares what the batches share, without changing a bit.
func TestEvaluationKeepsTheBits(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 20
	}
	evaluationKeepsTheBits(t, openDevice(t, 1), openDevice(t, 3), seeds)
}

func evaluationKeepsTheBits(t *testing.T, dev, threaded kernels.Device, seeds int) {
	t.Helper()
	fused, prepared := 0, 0
	for seed := range uint64(seeds) {
		want, _ := evaluatedBits(t, dev, seed, PlanOptions{fusions: noFusion, noReuse: true}, (*Plan).Run)
		for _, c := range []struct {
			name string
			dev  kernels.Device
			o    PlanOptions
			run  func(*Plan) error
		}{
			{"fused", dev, PlanOptions{noReuse: true}, (*Plan).Run},
			{"prepared", dev, PlanOptions{fusions: noFusion, prepare: true}, (*Plan).Run},
			{"fused, prepared, reusing memory", dev, PlanOptions{prepare: true}, (*Plan).Run},
			{"fused, prepared, reusing memory, dead memory poisoned", dev, PlanOptions{prepare: true}, (*Plan).runPoisoned},
			{"on three threads", threaded, PlanOptions{prepare: true}, (*Plan).Run},
		} {
			if c.dev == nil {
				continue
			}
			got, plan := evaluatedBits(t, c.dev, seed, c.o, c.run)
			if !bytes.Equal(got, want) {
				t.Errorf("seed %d: %s: other bits than unfused without reuse", seed, c.name)
			}
			for _, s := range plan.steps {
				if s.node.op == kernels.ConvFpropBN {
					fused++
				}
			}
			prepared += plan.constant
		}
	}
	if fused == 0 || prepared == 0 {
		t.Errorf("%d convolutions fused, %d steps prepared in all networks", fused, prepared)
	}
}

// The poison finds what it is for: a block whose life is cut short.
func TestPoisonFindsAWrongLifetime(t *testing.T) {
	dev := openDevice(t, 1)
	set, err := NewDeviceSet(dev, kernels.FP32, goldenSet(), CIFARNormalization)
	if err != nil {
		t.Fatal(err)
	}
	st, err := NewStepState(dev, 1)
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFeedback(st)
	if err != nil {
		t.Fatal(err)
	}
	look := func() error {
		_, err := f.take(f.ask(1) == nil)
		return err
	}
	m := placed(t, dev, kernels.FP32, goldenClasses, 2)
	g := NewGraph(true)
	x, labels := g.Batch(set, st, 4, false)
	_, logits := m.Forward(g, x)
	g.Backward(g.CrossEntropy(logits, labels, st))
	plan, err := Compile(dev, g, &MemoryPool{}, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.runPoisoned(); err != nil {
		t.Fatal(err)
	}
	if err := look(); err != nil {
		t.Fatalf("with right lifetimes: %v", err)
	}
	plan.blocks[x].last = plan.blocks[x].first
	if err := plan.runPoisoned(); err != nil {
		t.Fatal(err)
	}
	var bad *NonFiniteError
	if err := look(); !errors.As(err, &bad) {
		t.Errorf("with the image batch given away before it is read: %v, want a loss that is not finite", err)
	}
}

// ResNet-18 fuses every batch norm's ReLU and residual, and its placement is close to the most that lives at a time.
func TestResNetPlan(t *testing.T) {
	dev := openDevice(t, 1)
	s := NotebookSettings()
	s.BatchSize = goldenBatch
	tr, err := NewTrainer(dev, placed(t, dev, kernels.FP32, goldenClasses, goldenWidth), goldenSet(), s, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	counts, over := map[kernels.OpID]int{}, 0
	for _, s := range tr.Plan().steps {
		if dy, dx := s.over(); dy != nil && tr.Plan().blocks[dy] == tr.Plan().blocks[dx] {
			over++
		}
		switch {
		case s.pack:
		case s.node.op == kernels.ConvFpropStats: // where the device has it
			counts[kernels.ConvFprop]++
			counts[kernels.BNStats]++
		default:
			counts[s.node.op]++
		}
	}
	// 17 batch norms on the main path and 3 on shortcuts; 8 units, of which 5 pass their input's gradient by the identity and 3 by the shortcut: each adds,
	// the latter in the shortcut's own dgrad, the former in that of the first convolution where it is by Winograd (16 channels or more).
	want := map[kernels.OpID]int{
		kernels.ConvFprop: 20, kernels.ConvDgrad: 13, kernels.ConvDgradAdd: 6, kernels.ConvWgrad: 20, kernels.BNStats: 20, kernels.BNForward: 20, kernels.BNBackward: 20,
		kernels.ReLUForward: 0, kernels.ReLUBackward: 0, kernels.Add: 2,
	}
	for op, n := range want {
		if counts[op] != n {
			t.Errorf("%d steps of %v, want %d", counts[op], op, n)
		}
	}
	if over != 20 {
		t.Errorf("%d outputs lie over an operand, want dx of all 20 batch norms over dy", over)
	}
	bytes, live := tr.Plan().Memory()
	t.Logf("%d steps, %.1f MiB placed, %.1f MiB live at most", len(tr.Plan().steps), float64(bytes)/(1<<20), float64(live)/(1<<20))
	if float64(bytes) > 1.1*float64(live) {
		t.Errorf("placement takes %d bytes where %d live at most", bytes, live)
	}
}

// A step replays without allocating, in Go and in the kernels' library.
func TestStepAllocatesNothing(t *testing.T) {
	dev := openDevice(t, 2)
	s := NotebookSettings()
	s.BatchSize = goldenBatch
	tr, err := NewTrainer(dev, placed(t, dev, kernels.FP32, goldenClasses, goldenWidth), goldenSet(), s, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.begin(); err != nil {
		t.Fatal(err)
	}
	before := cpu.Allocations()
	n := testing.AllocsPerRun(3, func() {
		if err := tr.full.Run(); err != nil {
			t.Error(err)
		}
		if err := tr.begin(); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a step in Go", n)
	}
	if d := cpu.Allocations() - before; d != 0 {
		t.Errorf("%d allocations in the kernels' library", d)
	}
}

// TestLiveBytes: of these blocks the first two live together at step 2, the last two at step 3.
func TestLiveBytes(t *testing.T) {
	blocks := []*block{{bytes: 10, first: 0, last: 2}, {bytes: 20, first: 2, last: 3}, {bytes: 5, first: 3, last: 4}, {bytes: 26, first: 5, last: 5}}
	if got := liveBytes(blocks); got != 30 {
		t.Errorf("%d bytes live at once, want 30", got)
	}
	if got := place(blocks, true); got < 30 || got > 30+blockAlign {
		t.Errorf("placed in %d bytes", got)
	}
}
