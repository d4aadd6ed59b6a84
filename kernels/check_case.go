package kernels

import (
	"fmt"
	"slices"
	"strings"
)

// checkCase is one call with its inputs and what the reference makes of them. It belongs to no device and no variant.
type checkCase struct {
	op        *Op
	shape     Shape
	p         Precision
	tier      tier
	form      form
	scenario  string
	unchecked []string
	scalars   []float64
	in        [][]float64 // nil where an operand is absent, or an output
	want      [][]float64 // of Out and InOut operands
	tolerance [][]float64
	products  [][]float64 // RefCall.Products
}

// name tells a case from the others of its shape.
func (c *checkCase) name() string {
	parts := []string{c.tier.String()}
	if c.form.flags&ReLU != 0 {
		parts = append(parts, "ReLU")
	}
	if c.form.flags&RandomCropFlip != 0 {
		parts = append(parts, "RandomCropFlip")
	}
	for _, i := range c.form.absent {
		parts = append(parts, "no "+c.op.Operands[i].Name)
	}
	if c.scenario != "" {
		parts = append(parts, c.scenario)
	}
	return strings.Join(parts, ", ")
}

// newCheckCases makes the calls of one operation at one shape. They depend on nothing else, so one set serves all devices and variants.
func newCheckCases(op *Op, p Precision, s Shape, seed uint64) ([]*checkCase, error) {
	var cases []*checkCase
	all := append([]scenario{{}}, scenarios(op)...)
	for _, t := range []tier{integers, reals} {
		if t == integers && !op.Exact {
			continue
		}
		for _, sc := range all {
			if sc.edit != nil && t == integers {
				continue
			}
			for _, f := range forms(op) {
				c, err := newCheckCase(op, p, s, seed, t, f, sc)
				if err != nil {
					return nil, err
				}
				cases = append(cases, c)
			}
		}
	}
	return cases, nil
}

// newCheckCase draws inputs until the reference makes something of them.
func newCheckCase(op *Op, p Precision, s Shape, seed uint64, t tier, f form, sc scenario) (*checkCase, error) {
	const draws = 100
	c := &checkCase{op: op, shape: s, p: p, tier: t, form: f, scenario: sc.name, unchecked: sc.unchecked}
	var trivial string
	for draw := range uint64(draws) {
		in := newInputs(op, s, p, t, seed+draw<<32)
		if sc.edit != nil {
			sc.edit(in)
			in.round()
		}
		operands := make([][]float64, len(op.Operands))
		c.in = make([][]float64, len(op.Operands))
		for i := range op.Operands {
			if !slices.Contains(f.absent, i) {
				c.in[i] = in.values[i]
				operands[i] = slices.Clone(in.values[i])
			}
		}
		ref := newRefCall(op, s, f.flags, in.scalars, operands, func(i int) bool { return !slices.Contains(f.absent, i) })
		op.Reference(ref)
		c.scalars, c.tolerance, c.products = in.scalars, ref.Tolerance, ref.Products
		if sc.exactProducts {
			c.products = make([][]float64, len(op.Operands))
		}
		c.want = make([][]float64, len(op.Operands))
		for i, o := range op.Operands {
			if o.Role != In {
				c.want[i] = ref.Operands[i]
			}
		}
		if trivial = c.trivial(); trivial == "" || sc.nothing {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%s at %v: %s: the reference is trivial in %d draws: %s", op.Name, s, c.name(), draws, trivial)
}

// trivial says which output would be right without being computed: an Out operand of zeros, or InOut operands that are as they were.
func (c *checkCase) trivial() string {
	changes, changed := false, false
	for i, o := range c.op.Operands {
		switch {
		case c.want[i] == nil:
		case o.Role == Out && !slices.ContainsFunc(c.want[i], func(v float64) bool { return v != 0 }):
			return o.Name + " is zero"
		case o.Role == InOut:
			changes = true
			changed = changed || !slices.Equal(c.want[i], c.in[i])
		}
	}
	if changes && !changed {
		return "nothing changes"
	}
	return ""
}
