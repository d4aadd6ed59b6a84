package kernels

import (
	"fmt"
	"slices"
	"strings"
)

// Class bounds a variant's rounding error, as a multiple of the tolerance that the operation's reference gives.
type Class struct {
	Name   string
	Factor float64
	Exact  bool // gives exact results on small integers where the operation allows it
	// Mixed: a result's error also depends on inputs that it is not made of (a transform of a whole tile), so that each result may err as much as the
	// one of its operand that may err most.
	Mixed bool
}

var (
	// Float32Sum: the operation's own products, their factors as the precision has them, summed in float32 in any order.
	Float32Sum = Class{Name: "float32 sum", Factor: 1, Exact: true}
	// WinogradSum: sums of products of transformed tiles. At worst F(4x4, 3x3) errs 69 times as much as the plain sum (kernels/cpu/winograd_f43.hpp); with
	// random signs, which the tolerance counts on, some three times.
	WinogradSum = Class{Name: "winograd sum", Factor: 3, Mixed: true}
)

// Need is a condition on a call's shape: its words, for tables and errors alike, and what decides it.
type Need struct {
	Words string             // "a 3x3 filter with stride 1 and pad 1"
	Lacks func(Shape) string // what the call has instead; empty where it has what is needed
}

// Needs must all be met.
type Needs []Need

// check names the first need that a call does not meet.
func (n Needs) check(s Shape) error {
	for _, need := range n {
		if instead := need.Lacks(s); instead != "" {
			return fmt.Errorf("needs %s, this call has %s", need.Words, instead)
		}
	}
	return nil
}

func (n Needs) words() []string {
	var out []string
	for _, need := range n {
		out = append(out, need.Words)
	}
	return out
}

// Variant is a row under an operation: how it is computed on one kind of device. The rest of the program knows no more of it than this row.
type Variant struct {
	Op         OpID
	Name       string // the mechanism: "direct", "im2col", "winograd_f43"
	Kind       Kind
	Kernel     string // the kernel's name on the device; empty: <op>_<name>
	Precisions []Precision
	Can        Needs // what a call must have to be done by it; nil: any can
	Prefer     Needs // what it must have beside that where nothing is pinned; nil: no more
	Class      Class
	// Flop counts the floating-point operations of its matrix products, where a transform makes them fewer than the operation's ([Op.Flop]); nil: those.
	Flop func(Shape) float64
	Pack bool // the weight operand is wanted in the variant's own order
	// Over names the operand in whose memory the first output may lie: each of its elements is read before that of the output is written. Empty: none.
	Over string
	Why  string
}

// KernelName is the name of the kernel that a device looks up.
func (v *Variant) KernelName() string {
	if v.Kernel != "" {
		return v.Kernel
	}
	return v.Op.String() + "_" + v.Name
}

// String is "conv_fprop=im2col", as --variant takes it.
func (v *Variant) String() string { return v.Op.String() + "=" + v.Name }

// Check says why the variant cannot do a call on such a device, or nil.
func (v *Variant) Check(s Shape, p Precision, c Capabilities) error {
	switch {
	case v.Kind != c.Kind:
		return fmt.Errorf("%v: is for %v, this device is %v", v, v.Kind, c.Kind)
	case !slices.Contains(v.Precisions, p):
		return fmt.Errorf("%v: has no %v", v, p)
	}
	if err := v.Can.check(s); err != nil {
		return fmt.Errorf("%v: %w", v, err)
	}
	return nil
}

// Conditions are in words what [Variant.Check] asks beside the precision, of the device first.
func (v *Variant) Conditions() []string {
	var out []string
	if v.tensorCores() {
		out = append(out, fmt.Sprintf("sm_%d or later", v.Precisions[0].LeastSM()))
	}
	return append(out, v.Can.words()...)
}

// Unpinned are in words what [Choice.Choose] and [Choice.Fused] ask beside the conditions where nothing is pinned.
func (v *Variant) Unpinned() []string {
	if fuses := v.Op.Op().Fuses; fuses != nil {
		return []string{fmt.Sprintf("with %v=%s", fuses[0], v.Name)}
	}
	return v.Prefer.words()
}

// Limit is the least time in seconds that a call of the given cost can take by the variant's algorithm, 0 of the zero Roofline: the roofline's
// ([Roofline.For]); with a transform the time of the products plus that of moving the operands, which are transformed before and after.
func (v *Variant) Limit(s Shape, c Cost, r Roofline) float64 {
	r = r.For(v)
	if v.Flop == nil {
		return r.Limit(c)
	}
	return r.Limit(Cost{Flop: v.Flop(s)}) + r.Limit(Cost{Bytes: c.Bytes})
}

// tensorCores: it multiplies on a card's tensor cores, which have no fp32.
func (v *Variant) tensorCores() bool { return v.Kind == CUDA && !slices.Contains(v.Precisions, FP32) }

// Variants are the rows under an operation on a kind of device, the preferred first.
func Variants(op OpID, kind Kind) []*Variant {
	var out []*Variant
	for i := range variants {
		if variants[i].Op == op && variants[i].Kind == kind {
			out = append(out, &variants[i])
		}
	}
	return out
}

// Ops are all rows of the table.
func Ops() []*Op {
	out := make([]*Op, 0, numOps)
	for i := range ops {
		out = append(out, &ops[i])
	}
	return out
}

// Choice pins variants: the operation's name gives the variant's, which is taken wherever it applies. Elsewhere, and for operations that are not named,
// the table's order holds, and what its rows prefer.
type Choice map[OpID]string

// ParseChoice reads "conv_fprop=direct" items, each of which must name a row for the given kind of device.
func ParseChoice(items []string, kind Kind) (Choice, error) {
	c := Choice{}
	for _, item := range items {
		opName, name, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("variant %q: write OPERATION=VARIANT, for example conv_fprop=direct", item)
		}
		id := slices.IndexFunc(ops[:], func(o Op) bool { return o.Name == opName })
		if id < 0 {
			return nil, fmt.Errorf("variant %q: no operation %q (nctrain kernels list shows them)", item, opName)
		}
		var names []string
		for _, v := range Variants(OpID(id), kind) {
			names = append(names, v.Name)
		}
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("variant %q: %s has %s on %v", item, opName, strings.Join(names, ", "), kind)
		}
		c[OpID(id)] = name
	}
	return c, nil
}

// Fused gives the variant for a call of an operation that fuses others: the pinned one, else the one of the same name as the choice for the first of them,
// where it can be done; nil: the operations run one by one, as they also do where one of the others is pinned.
func (c Choice) Fused(op OpID, s Shape, p Precision, caps Capabilities) *Variant {
	name := c[op]
	if name == "" {
		if slices.ContainsFunc(op.Op().Fuses[1:], func(other OpID) bool { return c[other] != "" }) {
			return nil
		}
		v, err := c.Choose(op.Op().Fuses[0], s, p, caps)
		if err != nil {
			return nil
		}
		name = v.Name
	}
	rows := Variants(op, caps.Kind)
	i := slices.IndexFunc(rows, func(v *Variant) bool { return v.Name == name && v.Check(s, p, caps) == nil })
	if i < 0 {
		return nil
	}
	return rows[i]
}

// Choose gives the variant for a call: the pinned one where it can do it, else the first of the table's rows that is preferred at this shape and can.
// A fixed function of device, shape and precision, so that the same command gives the same bits everywhere.
func (c Choice) Choose(op OpID, s Shape, p Precision, caps Capabilities) (*Variant, error) {
	rows := Variants(op, caps.Kind)
	pinned := func(v *Variant) bool { return v.Name == c[op] }
	preferred := func(v *Variant) bool { return v.Prefer.check(s) == nil }
	var why []error
	for _, wanted := range []func(*Variant) bool{pinned, preferred} {
		for _, v := range rows {
			if !wanted(v) {
				continue
			}
			err := v.Check(s, p, caps)
			if err == nil {
				return v, nil
			}
			why = append(why, err)
		}
	}
	if len(why) == 0 {
		why = append(why, fmt.Errorf("%v: no variant for %v", op, caps.Kind))
	}
	return nil, fmt.Errorf("%v at %v, %v: %w", op, s, p, why[0])
}
