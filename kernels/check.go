package kernels

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"runtime"
	"slices"

	"nctrain/kernels/cpu"
)

// CheckResult says how far a variant was from the float64 reference where it passed.
type CheckResult struct {
	Calls    int     // compared calls: tiers of numbers, flags, optional operands, scenarios
	Elements int     // compared output elements that may err
	Worst    float64 // the greatest error as a share of its bound
	WorstAt  string  // its call and element
	Digest   uint64  // of all outputs' bits: equal where two devices (thread counts, say) gave the same
}

// Add takes in the result of another shape.
func (r *CheckResult) Add(o CheckResult) {
	r.Calls += o.Calls
	r.Elements += o.Elements
	if o.Worst > r.Worst {
		r.Worst, r.WorstAt = o.Worst, o.WorstAt
	}
	r.Digest = r.Digest*31 + o.Digest
}

// Check is the conformance of one variant at one shape. It calls the variant with every flag on and off and every optional operand there and not, on
// small integers (which must give the reference's bits, where operation and variant promise that), on numbers such as a network holds (within
// RefCall.Tolerance * the unit roundoff * Class.Factor of the reference, elementwise) and in the operation's own situations (a NaN loss, saturated
// logits); once at once and twice from a recording, whose replays must give the same bits and allocate nothing.
//
// Around every buffer lie guards that must stay as they are, outputs and workspace are poisoned before each call, inputs must be unchanged after it, and
// no reference is trivial. Under the emulated CUDA driver no kernel may touch a guard, nor read an output or workspace that nobody wrote. The error names the call, the first wrong element with its bound, and how many are wrong. It is also an error where the
// variant cannot do the shape ([Variant.Check] tells beforehand) or its kernel is missing.
func Check(dev Device, v *Variant, p Precision, s Shape, seed uint64) (CheckResult, error) {
	if w, ok := dev.(Watched); ok {
		w.ForgetFault()
	}
	cases, err := newCheckCases(v.Op.Op(), p, s, seed)
	if err != nil {
		return CheckResult{}, err
	}
	return checkCases(dev, v, cases, true)
}

// checkCases checks a variant on cases of its operation; without replay it only launches them at once.
func checkCases(dev Device, v *Variant, cases []*checkCase, replay bool) (CheckResult, error) {
	var r CheckResult
	for i, c := range cases {
		if c.tier == integers && !v.Class.Exact {
			continue
		}
		err := v.Check(c.shape, c.p, dev.Capabilities())
		if err == nil {
			err = c.check(dev, v, replay, i == len(cases)-1, &r)
		}
		if err != nil {
			return r, fmt.Errorf("%v %v at %v (%s): %s: %w", v, c.p, c.shape, dev.Capabilities().ISA, c.name(), err)
		}
	}
	return r, nil
}

// checkRun is a case laid out in a device's memory for one variant.
type checkRun struct {
	*checkCase
	dev    Device
	v      *Variant
	before *image
	pieces []piece // of the operands; a zero piece where one is absent
	memory Buffer
	call   Call
	packed Buffer
	weight int
	guards []Buffer
	empty  []Buffer  // what holds nothing before the call: outputs, packed weights, workspace
	worst  []float64 // the greatest tolerance of each operand, for a class that mixes
}

func (c *checkCase) check(dev Device, v *Variant, replay, countAllocations bool, r *CheckResult) error {
	run, err := c.layOut(dev, v)
	if err != nil {
		return err
	}
	defer dev.Free(run.memory)

	eager, err := run.execute(run.body)
	if err != nil {
		return err
	}
	if err := run.compare(eager, r); err != nil {
		return err
	}
	if replay {
		if err := run.replay(eager, countAllocations); err != nil {
			return err
		}
	}
	h := fnv.New64a()
	for i, o := range c.op.Operands {
		if o.Role != In && c.want[i] != nil {
			h.Write(eager.of(run.pieces[i]))
		}
	}
	r.Calls++
	r.Digest = r.Digest*31 + h.Sum64()
	return nil
}

// replay records the call and holds two replays against its launch at once.
func (r *checkRun) replay(eager *image, countAllocations bool) error {
	if err := r.upload(); err != nil {
		return err
	}
	rec, err := r.dev.Capture(r.body)
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	defer rec.Close()
	captured, err := r.download()
	if err != nil {
		return err
	}
	if !slices.Equal(captured.bytes, r.before.bytes) {
		return errors.New("capture: ran what it should only have recorded")
	}
	for i := range 2 {
		replayed, err := r.execute(rec.Replay)
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		if err := r.sameBits(replayed, eager); err != nil {
			return fmt.Errorf("replay %d: %w", i+1, err)
		}
	}
	if countAllocations {
		n, err := replayAllocations(r.dev, rec)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("a replay allocates (%d times)", n)
		}
	}
	return nil
}

// layOut allocates and fills a case's memory: poison and guards everywhere, and the inputs.
func (c *checkCase) layOut(dev Device, v *Variant) (*checkRun, error) {
	need, err := dev.Requirements(v, c.shape, c.p)
	if err != nil {
		return nil, err
	}
	run := &checkRun{checkCase: c, dev: dev, v: v, before: &image{}, pieces: make([]piece, len(c.op.Operands)), weight: -1, worst: make([]float64, len(c.op.Operands))}
	for i, tolerance := range c.tolerance {
		if len(tolerance) > 0 {
			run.worst[i] = slices.Max(tolerance)
		}
	}
	for i, o := range c.op.Operands {
		if c.in[i] != nil || c.want[i] != nil {
			run.pieces[i] = run.before.add(o.Name, o.Len(c.shape)*o.Type.Size(c.p))
		}
		if o.Weight {
			run.weight = i
		}
	}
	var packed, workspace piece
	if v.Pack {
		if run.weight < 0 || need.Packed <= 0 {
			return nil, fmt.Errorf("wants packed weights, but requires %d bytes for them and the operation's weight operand is %d", need.Packed, run.weight)
		}
		packed = run.before.add("packed weights", need.Packed)
	}
	if need.Workspace > 0 {
		workspace = run.before.add("workspace", need.Workspace)
	}
	fillGuards(run.before.bytes)
	for i, o := range c.op.Operands {
		if c.in[i] != nil {
			encode(run.before.of(run.pieces[i]), c.in[i], o.Type, c.p)
		}
	}
	if run.memory, err = dev.Alloc(len(run.before.bytes)); err != nil {
		return nil, err
	}
	run.call = Call{Op: c.op.ID, Shape: c.shape, Precision: c.p, Flags: c.form.flags, Tensors: tensorsOf(c.op.ID, c.shape)}
	copy(run.call.Scalars[:], c.scalars)
	for i, p := range run.pieces {
		if p.bytes > 0 {
			run.call.Operands[i] = run.memory.Slice(p.offset, p.bytes)
		}
	}
	if need.Workspace > 0 {
		run.call.Workspace = run.memory.Slice(workspace.offset, workspace.bytes)
	}
	if v.Pack {
		run.packed = run.memory.Slice(packed.offset, packed.bytes)
	}
	for _, g := range run.before.guards() {
		run.guards = append(run.guards, run.memory.Slice(g.offset, g.bytes))
	}
	for i, o := range c.op.Operands {
		if o.Role == Out && run.pieces[i].bytes > 0 {
			run.empty = append(run.empty, run.call.Operands[i])
		}
	}
	for _, b := range []Buffer{run.packed, run.call.Workspace} {
		if !b.IsNil() {
			run.empty = append(run.empty, b)
		}
	}
	return run, nil
}

// body queues the call as a plan does: packed weights take the operand's place.
func (r *checkRun) body() error {
	call := r.call
	if r.v.Pack {
		if err := r.dev.Pack(r.v, r.shape, r.p, call.Operands[r.weight], r.packed); err != nil {
			return fmt.Errorf("pack: %w", err)
		}
		call.Operands[r.weight] = r.packed
	}
	return r.dev.Launch(r.v, &call)
}

func (r *checkRun) upload() error {
	if err := r.watch(Watched.Undefine, r.guards); err != nil {
		return err
	}
	if err := r.dev.Upload(r.memory, r.before.bytes); err != nil {
		return err
	}
	return errors.Join(r.watch(Watched.Fence, r.guards), r.watch(Watched.Undefine, r.empty))
}

// watch tells a watched device about buffers.
func (r *checkRun) watch(tell func(Watched, Buffer) error, buffers []Buffer) error {
	w, ok := r.dev.(Watched)
	if !ok {
		return nil
	}
	for _, b := range buffers {
		if err := tell(w, b); err != nil {
			return err
		}
	}
	return nil
}

func (r *checkRun) download() (*image, error) {
	if err := r.watch(Watched.Undefine, r.guards); err != nil {
		return nil, err
	}
	after := &image{bytes: make([]byte, len(r.before.bytes)), pieces: r.before.pieces}
	return after, r.dev.Download(after.bytes, r.memory)
}

// execute runs body on fresh memory and gives the memory after it.
func (r *checkRun) execute(body func() error) (*image, error) {
	if err := r.upload(); err != nil {
		return nil, err
	}
	if err := body(); err != nil {
		return nil, err
	}
	if err := r.dev.Synchronize(); err != nil {
		return nil, err
	}
	return r.download()
}

// sameBits compares outputs and guards of two runs.
func (r *checkRun) sameBits(got, want *image) error {
	if err := got.guardsIntact(r.before); err != nil {
		return err
	}
	for i := range r.op.Operands {
		o, size := &r.op.Operands[i], r.op.Operands[i].Type.Size(r.p)
		a, b := got.of(r.pieces[i]), want.of(r.pieces[i])
		for j := 0; j < len(a); j += size {
			if string(a[j:j+size]) != string(b[j:j+size]) {
				return fmt.Errorf("%s = %v, but %v when launched at once", element(r.op, o, r.shape, j/size),
					decode(a, j/size, o.Type, r.p), decode(b, j/size, o.Type, r.p))
			}
		}
	}
	return nil
}

// compare holds memory after a call against the reference.
func (r *checkRun) compare(after *image, result *CheckResult) error {
	if err := after.guardsIntact(r.before); err != nil {
		return err
	}
	for i := range r.op.Operands {
		o := &r.op.Operands[i]
		got, before := after.of(r.pieces[i]), r.before.of(r.pieces[i])
		switch {
		case r.in[i] == nil && r.want[i] == nil, slices.Contains(r.unchecked, o.Name):
		case o.Role == In:
			if j := firstDifference(got, before); j >= 0 {
				return fmt.Errorf("changed its input %s", element(r.op, o, r.shape, j/o.Type.Size(r.p)))
			}
		default:
			if err := r.compareOutput(i, got, before, result); err != nil {
				return err
			}
		}
	}
	return nil
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// compareOutput holds one output against the reference, element by element.
func (r *checkRun) compareOutput(operand int, got, before []byte, result *CheckResult) error {
	o := &r.op.Operands[operand]
	var first string
	wrong := 0
	for j, want := range r.want[operand] {
		value, bound := decode(got, j, o.Type, r.p), r.bound(operand, j)
		off := math.Abs(value - want)
		unwritten := o.Role == Out && poisoned(got, before, j, o.Type.Size(r.p))
		switch {
		case unwritten:
		case value == want, math.IsNaN(value) && math.IsNaN(want): // also equal infinities
			off = 0
		}
		if bound > 0 {
			result.Elements++
		}
		if !unwritten && off <= bound || off == 0 {
			if share := off / bound; bound > 0 && share > result.Worst {
				result.Worst = share
				result.WorstAt = fmt.Sprintf("%v: %s: %s", r.shape, r.name(), element(r.op, o, r.shape, j))
			}
			continue
		}
		if wrong++; wrong > 1 {
			continue
		}
		switch at := element(r.op, o, r.shape, j); {
		case unwritten:
			first = fmt.Sprintf("%s was not written, want %v", at, want)
		case bound == 0:
			first = fmt.Sprintf("%s = %v, want exactly %v", at, value, want)
		default:
			first = fmt.Sprintf("%s = %v, want %v: the error %.3g is %.3g times its bound %.3g", at, value, want, off, off/bound, bound)
		}
	}
	if wrong == 0 {
		return nil
	}
	return fmt.Errorf("%s (%d of %d elements of %s are wrong)", first, wrong, len(r.want[operand]), o.Name)
}

// bound is how far an element may be off: by the sum's roundings, and under TF32 and BF16 by those of the products' factors. What is under the smallest normal number may be flushed to zero. In float64 the reference is no more precise
// than the variant, and errs by as much.
func (r *checkRun) bound(operand, j int) float64 {
	tol := r.tolerance[operand][j]
	if r.v.Class.Mixed {
		tol = r.worst[operand]
	}
	if r.tier == integers || tol == 0 {
		return 0
	}
	p, smallest := r.p, 0x1p-126
	if r.op.InDouble {
		p = FP64
	}
	if p == FP64 {
		tol, smallest = 2*tol, 0x1p-1022
	}
	bound := tol*p.Eps()*r.v.Class.Factor + smallest
	if products := r.products[operand]; products != nil {
		u := r.p.ProductEps()
		bound += products[j] * u * (1 + u/2) // (1+u)^2 - 1 = 2u(1+u/2)
	}
	return bound
}

// replayAllocations counts the heap objects that a replay makes, Go's and those of the native library. Other goroutines may allocate meanwhile, so the
// least of a few tries counts.
func replayAllocations(dev Device, rec Recording) (int, error) {
	least := math.MaxInt
	for range 5 {
		var before, after runtime.MemStats
		native := cpu.Allocations()
		runtime.ReadMemStats(&before)
		for range 3 {
			if err := rec.Replay(); err != nil {
				return 0, err
			}
		}
		if err := dev.Synchronize(); err != nil {
			return 0, err
		}
		runtime.ReadMemStats(&after)
		least = min(least, int(after.Mallocs-before.Mallocs)+int(cpu.Allocations()-native))
		if least == 0 {
			break
		}
	}
	return least, nil
}
