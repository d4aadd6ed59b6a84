package nn

import (
	"fmt"
	"maps"
	"slices"

	"nctrain/kernels"
)

// Pin tells what came of a pinned variant in a plan.
type Pin struct {
	Variant *kernels.Variant
	Calls   int // of its operation, those included that would be fused to it if it could do them
	Refused int // of these, where it cannot and others stand in

	first kernels.Shape // of the refused
	why   error
}

// Refusal says in words why and how often others stand in; empty where none does.
func (p *Pin) Refusal() string {
	if p.Refused == 0 {
		return ""
	}
	return fmt.Sprintf("%v, at %v: pinned, it does %d of %d calls, and others stand in for %d", p.why, p.first, p.Calls-p.Refused, p.Calls, p.Refused)
}

// PinError is a pinned variant that does no call of a plan: not what was asked for.
type PinError struct{ Pin }

func (e *PinError) Error() string {
	return fmt.Sprintf("%v, at %v: pinned, it does none of %d calls: leave it out (nctrain kernels list tells what each variant needs)", e.why, e.first, e.Calls)
}

// checkPins finds where the pinned variants of a record apply. nodes are the record fused, offers is by what.
func (p *Plan) checkPins(g *Graph, nodes []*node, offers func(kernels.OpID, kernels.Shape) bool, o PlanOptions) error {
	caps := p.dev.Capabilities()
	for _, op := range slices.Sorted(maps.Keys(o.Choice)) {
		rows := kernels.Variants(op, caps.Kind)
		i := slices.IndexFunc(rows, func(v *kernels.Variant) bool { return v.Name == o.Choice[op] })
		if i < 0 {
			return fmt.Errorf("pinned: no %v=%s on %v", op, o.Choice[op], caps.Kind)
		}
		calls := nodes
		if op.Op().Fuses != nil { // the record as it would be if the variant could do every call
			calls = fuse(g.nodes, g.keep, o.fusions, func(other kernels.OpID, s kernels.Shape) bool { return other == op || offers(other, s) })
		}
		pin := Pin{Variant: rows[i]}
		for _, n := range calls {
			// A fused call is the choice's for the first of its operations, unless it is pinned itself.
			if n.op != op && (slices.Index(n.op.Op().Fuses, op) != 0 || o.Choice[n.op] != "") {
				continue
			}
			pin.Calls++
			if err := pin.Variant.Check(n.shape, o.Precision, caps); err != nil {
				if pin.Refused++; pin.Refused == 1 {
					pin.first, pin.why = n.shape, err
				}
			}
		}
		if pin.Calls > 0 && pin.Refused == pin.Calls {
			return &PinError{pin}
		}
		p.pins = append(p.pins, pin)
	}
	return nil
}

// Pins tells of each pinned variant what came of it, in the order of the operations.
func (p *Plan) Pins() []Pin { return p.pins }

// Refusals are the pins' ([Pin.Refusal]).
func (p *Plan) Refusals() []string {
	var out []string
	for i := range p.pins {
		if text := p.pins[i].Refusal(); text != "" {
			out = append(out, text)
		}
	}
	return out
}
