package nn

import (
	"fmt"
	"slices"
	"time"

	"nctrain/kernels"
)

// PlanOptions say how a record becomes a plan. The zero value is what training uses, on float32.
type PlanOptions struct {
	Precision kernels.Precision
	Choice    kernels.Choice // pinned variants

	prepare bool // what no run changes is not part of the run but of [Plan.Prepare]

	fusions fusions // tests: less than all
	noReuse bool    // tests: every activation has memory of its own
}

// step is one launch of a plan: an operation by a variant, or the packing of its weight operand.
type step struct {
	node    *node
	variant *kernels.Variant
	pack    bool // reorder the weight operand instead
	call    kernels.Call
	packed  kernels.Buffer
}

// Plan is a captured record. A batch of another size is another plan over the same parameters.
//
// Where an evaluator asks for it, what depends on nothing that a run changes (packed weights, the normalisation by running statistics) is not part of the run:
// [Plan.Prepare] computes it.
type Plan struct {
	dev       kernels.Device
	precision kernels.Precision
	steps     []step
	pins      []Pin
	constant  int // the first so many steps are those of Prepare
	blocks    map[*Value]*block
	lives     []*block // of everything in memory, workspaces and packs too
	memory    kernels.Buffer
	watched   kernels.Watched // by the emulated driver: each run starts with memory that nobody wrote; nil elsewhere

	preparation, recording kernels.Recording // preparation is nil where there is nothing to prepare
}

// Compile plans and captures a record on a device. Plans in the same pool share memory: they never run at the same time.
func Compile(dev kernels.Device, g *Graph, pool *MemoryPool, o PlanOptions) (*Plan, error) {
	p := &Plan{dev: dev, precision: o.Precision, blocks: map[*Value]*block{}}
	if dev.Capabilities().Emulated {
		p.watched, _ = dev.(kernels.Watched)
	}
	offers := func(op kernels.OpID, s kernels.Shape) bool {
		return o.Choice.Fused(op, s, o.Precision, dev.Capabilities()) != nil
	}
	nodes := fuse(g.nodes, g.keep, o.fusions, offers)
	if err := p.choose(nodes, o); err != nil {
		return nil, err
	}
	if err := p.checkPins(g, nodes, offers, o); err != nil {
		return nil, err
	}
	work, err := p.measure(g.keep, !o.noReuse)
	if err != nil {
		return nil, err
	}
	total := place(p.lives, !o.noReuse)
	if p.memory, err = pool.take(dev, total); err != nil {
		return nil, fmt.Errorf("activations: %w", err)
	}
	p.bind(work)
	if p.constant > 0 {
		if p.preparation, err = dev.Capture(func() error { return p.launch(p.steps[:p.constant]) }); err != nil {
			return nil, err
		}
	}
	if p.recording, err = dev.Capture(func() error { return p.launch(p.steps[p.constant:]) }); err != nil {
		return nil, err
	}
	return p, nil
}

// choose turns nodes into steps: each operation by its variant, after the packing of its weights where the variant wants that. Weights are packed where
// they are used: the packed form lives only until then.
func (p *Plan) choose(nodes []*node, o PlanOptions) error {
	caps := p.dev.Capabilities()
	if !slices.Contains(caps.Precisions, o.Precision) {
		return fmt.Errorf("%s has no %v", p.dev.Description(), o.Precision)
	}
	for _, n := range nodes {
		v, err := choose(n, o, caps)
		if err != nil {
			return err
		}
		if v.Pack {
			p.steps = append(p.steps, step{node: n, variant: v, pack: true})
		}
		p.steps = append(p.steps, step{node: n, variant: v})
	}
	if o.prepare {
		p.separate()
	}
	return nil
}

// separate moves the steps that read only residents which no step writes, and what such steps make, before the others.
func (p *Plan) separate() {
	var written []*Value // residents
	for _, s := range p.steps {
		for _, v := range s.node.writes() {
			if v.resident {
				written = append(written, v)
			}
		}
	}
	made := map[*Value]bool{} // by a constant step
	isConstant := func(v *Value) bool { return made[v] || v.resident && !slices.ContainsFunc(written, v.sharesMemory) }
	var constant, rest []step
	for _, s := range p.steps {
		reads := s.node.reads()
		if s.pack {
			reads = []*Value{s.node.operands[s.weight()]}
		}
		if slices.ContainsFunc(reads, func(v *Value) bool { return !isConstant(v) }) || slices.ContainsFunc(s.node.writes(), func(v *Value) bool { return v.resident }) {
			rest = append(rest, s)
			continue
		}
		constant = append(constant, s)
		if !s.pack {
			for _, v := range s.node.writes() {
				made[v] = true
			}
		}
	}
	p.steps, p.constant = append(constant, rest...), len(constant)
}

// choose gives a node's variant; one that fuses operations is there only where the device offers it.
func choose(n *node, o PlanOptions, caps kernels.Capabilities) (*kernels.Variant, error) {
	if n.op.Op().Fuses != nil {
		return o.Choice.Fused(n.op, n.shape, o.Precision, caps), nil
	}
	return o.Choice.Choose(n.op, n.shape, o.Precision, caps)
}

// stepMemory is what a step needs beside its operands.
type stepMemory struct{ workspace, packed *block }

// measure finds from which step to which every activation, workspace and packed weight lives. What a constant step makes lives to the end. inPlace: an output takes
// the memory of an operand that lives no longer, where the variant lets it.
func (p *Plan) measure(keep []*Value, inPlace bool) ([]stepMemory, error) {
	work := make([]stepMemory, len(p.steps))
	packs := map[*node]*block{}
	lastUse := p.lastUse(keep)
	live := func(bytes, i int) *block {
		b := &block{bytes: bytes, first: i, last: i}
		if i < p.constant {
			b.last = len(p.steps)
		}
		p.lives = append(p.lives, b)
		return b
	}
	for i, s := range p.steps {
		r, err := p.dev.Requirements(s.variant, s.node.shape, p.precision)
		if err != nil {
			return nil, err
		}
		if s.pack {
			packs[s.node] = live(r.Packed, i)
			work[i].packed = packs[s.node]
			continue
		}
		if over, out := s.over(); inPlace && over != nil && p.blocks[over].last == i {
			p.blocks[out] = p.blocks[over]
		}
		for _, v := range slices.Concat(s.node.writes(), s.node.reads()) {
			if v.resident {
				continue
			}
			if p.blocks[v] == nil {
				p.blocks[v] = live(v.Len()*v.Type.Size(p.precision), i)
			}
			b := p.blocks[v]
			b.last = max(b.last, lastUse[v])
		}
		if b := packs[s.node]; b != nil {
			work[i].packed = b
			b.last = max(b.last, i)
		}
		if r.Workspace > 0 {
			work[i].workspace = live(r.Workspace, i)
			work[i].workspace.last = i
		}
	}
	return work, nil
}

// lastUse is the last step that reads or writes each value; what is kept is used beyond the last.
func (p *Plan) lastUse(keep []*Value) map[*Value]int {
	last := map[*Value]int{}
	for i, s := range p.steps {
		for _, v := range s.node.operands {
			if v != nil {
				last[v] = i
			}
		}
	}
	for _, v := range keep {
		last[v] = len(p.steps)
	}
	return last
}

// over is the activation in whose memory the step's variant may leave its first output, and that output; nil where it may not.
func (s *step) over() (over, out *Value) {
	operands := s.node.op.Op().Operands
	i := slices.IndexFunc(operands, func(o kernels.Operand) bool { return o.Name == s.variant.Over })
	if i < 0 || s.pack {
		return nil, nil
	}
	over, out = s.node.operands[i], s.node.operands[slices.IndexFunc(operands, func(o kernels.Operand) bool { return o.Role == kernels.Out })]
	if over.resident || out.resident {
		return nil, nil
	}
	return over, out
}

// bind fills the calls with addresses.
func (p *Plan) bind(work []stepMemory) {
	for i := range p.steps {
		s := &p.steps[i]
		s.call = kernels.Call{Op: s.node.op, Shape: s.node.shape, Precision: p.precision, Flags: s.node.flags, Scalars: s.node.scalars, Tensors: s.node.tensors}
		for j, v := range s.node.operands {
			if v != nil {
				s.call.Operands[j] = p.Buffer(v)
			}
		}
		if b := work[i].workspace; b != nil {
			s.call.Workspace = p.memory.Slice(b.offset, b.bytes)
		}
		if b := work[i].packed; b != nil {
			s.packed = p.memory.Slice(b.offset, b.bytes)
			if !s.pack {
				s.call.Operands[s.weight()] = s.packed
			}
		}
	}
}

// weight is the index of the operand that a variant may want packed.
func (s *step) weight() int {
	return slices.IndexFunc(s.node.op.Op().Operands, func(o kernels.Operand) bool { return o.Weight })
}

// Buffer is where a value is while the plan runs; after the run only residents and what [Graph.Keep] named are still there.
func (p *Plan) Buffer(v *Value) kernels.Buffer {
	if v.resident {
		return v.buffer
	}
	b := p.blocks[v]
	return p.memory.Slice(b.offset, b.bytes)
}

// launch queues steps.
func (p *Plan) launch(steps []step) error {
	for i := range steps {
		if err := p.launchStep(&steps[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) launchStep(s *step) error {
	if s.pack {
		return p.dev.Pack(s.variant, s.node.shape, p.precision, s.call.Operands[s.weight()], s.packed)
	}
	return p.dev.Launch(s.variant, &s.call)
}

// Prepare computes what a run does not, where the plan was compiled so: once before the first run, and again after parameters have changed or another plan of the pool has run.
func (p *Plan) Prepare() error {
	if p.preparation == nil {
		return nil
	}
	if err := p.forget(); err != nil {
		return err
	}
	return p.preparation.Replay()
}

// Run replays the plan once.
func (p *Plan) Run() error {
	if p.preparation == nil { // else what Prepare made is still there
		if err := p.forget(); err != nil {
			return err
		}
	}
	return p.recording.Replay()
}

// forget makes the plan's memory undefined where reads of it are watched: what one run left is no input of the next.
func (p *Plan) forget() error {
	if p.watched == nil {
		return nil
	}
	return p.watched.Undefine(p.memory)
}

// Memory is the bytes that activations, workspaces and packed weights take, and the most that live at one time.
func (p *Plan) Memory() (bytes, live int) { return p.memory.Bytes(), liveBytes(p.lives) }

// Variants are the distinct choices of the plan as "conv_fprop=im2col", sorted.
func (p *Plan) Variants() []string {
	var names []string
	for _, s := range p.steps {
		names = append(names, s.variant.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Timing is how long one step of a plan took.
type Timing struct {
	Op       kernels.OpID
	Variant  *kernels.Variant
	Pack     bool // the packing of the weight operand alone
	Shape    kernels.Shape
	Cost     kernels.Cost
	Duration time.Duration
}

// Limit is the least time in seconds that the step can take by its variant's algorithm, 0 of the zero Roofline.
func (t Timing) Limit(r kernels.Roofline) float64 {
	if t.Pack {
		return r.Limit(t.Cost)
	}
	return t.Variant.Limit(t.Shape, t.Cost, r)
}

// Profile runs the plan once, waiting after each step.
func (p *Plan) Profile() ([]Timing, error) {
	steps := p.steps[p.constant:]
	durations := make([]time.Duration, len(steps))
	if err := p.recording.Profile(durations); err != nil {
		return nil, err
	}
	out := make([]Timing, len(steps))
	for i, s := range steps {
		out[i] = Timing{Op: s.node.op, Variant: s.variant, Pack: s.pack, Shape: s.node.shape, Duration: durations[i]}
		if s.pack {
			out[i].Cost.Bytes = float64(s.call.Operands[s.weight()].Bytes() + s.packed.Bytes())
		} else {
			out[i].Cost = s.node.op.Op().Cost(s.node.shape, p.precision, func(j int) bool { return s.node.operands[j] != nil })
		}
	}
	return out, nil
}

// MemoryPool is memory that several plans use in turn. It grows to what the largest needs, so compile that one first.
type MemoryPool struct {
	dev     kernels.Device
	buffers []kernels.Buffer // the last is the largest; those before stay with the plans that were captured with them
}

func (m *MemoryPool) take(dev kernels.Device, bytes int) (kernels.Buffer, error) {
	m.dev = dev
	if n := len(m.buffers); n > 0 && bytes <= m.buffers[n-1].Bytes() {
		return m.buffers[n-1].Slice(0, bytes), nil
	}
	b, err := dev.Alloc(bytes)
	if err != nil {
		return kernels.Buffer{}, err
	}
	m.buffers = append(m.buffers, b)
	return b, nil
}

// Free gives the memory back. No plan of the pool may run afterwards.
func (m *MemoryPool) Free() {
	for _, b := range m.buffers {
		m.dev.Free(b)
	}
	m.buffers = nil
}
