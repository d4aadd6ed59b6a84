package kernels

// OpID names an operation. The names ([OpID.String]) are used everywhere: flags, tables, benchmarks, traces.
type OpID uint8

const (
	ConvFprop OpID = iota
	ConvDgrad
	ConvWgrad
	ConvFpropBN
	ConvFpropStats
	ConvDgradAdd
	BNStats
	BNEvalStats
	BNForward
	BNBackwardStats
	BNBackward
	ReLUForward
	ReLUBackward
	Add
	AvgPoolForward
	AvgPoolBackward
	LinearFprop
	LinearDgrad
	LinearWgrad
	CrossEntropy
	ClassMoments
	Augment
	SGD
	Advance
	numOps
)

func (id OpID) String() string { return ops[id].Name }

// Op returns the row of an operation.
func (id OpID) Op() *Op { return &ops[id] }

// Role says what a call does with an operand.
type Role uint8

const (
	In    Role = iota // read
	Out               // overwritten whole; what was there before is not read
	InOut             // read and written
)

// Type is an operand's element type.
type Type uint8

const (
	Real    Type = iota // float32, or float64 under FP64
	Float32             // float32 under every precision
	Float64             // float64 under every precision
	Int32
	Int64
	Uint8
)

// Size is the bytes of one element.
func (t Type) Size(p Precision) int {
	switch t {
	case Real:
		return p.Size()
	case Float64, Int64:
		return 8
	case Uint8:
		return 1
	}
	return 4
}

// Operand is one column of an operation's signature.
type Operand struct {
	Name     string
	Role     Role
	Type     Type
	Dims     func(Shape) []int
	Optional bool // a call may leave it out; a nil buffer says so
	Weight   bool // a variant may want it packed ([Variant.Pack])

	// Moved is how many of the elements a call moves, where that is not all: augment reads a batch of a whole set, a 1x1 filter with a stride of 2 a quarter of an image. nil: all.
	Moved func(Shape) int
}

// Len is the operand's number of elements.
func (o Operand) Len(s Shape) int {
	n := 1
	for _, d := range o.Dims(s) {
		n *= d
	}
	return n
}

// Flags select fused forms of an operation.
type Flags uint32

const (
	// ReLU: bn_forward applies max(.,0) last; bn_backward_stats and bn_backward pass dy only where y > 0.
	ReLU Flags = 1 << iota
	// RandomCropFlip: augment crops and flips by Philox (SPEC 2); without it images are only normalised.
	RandomCropFlip
)

// Cost is the least work any variant does.
type Cost struct {
	Flop  float64 // floating-point operations of the direct algorithm
	Bytes float64 // each operand moved once
}

// Op is a row of the table: what is computed.
type Op struct {
	ID       OpID
	Name     string
	Formula  string
	Operands []Operand
	Scalars  []string // names of Call.Scalars, in order
	Flags    Flags    // those that this operation understands

	// Fuses are the operations that this one does in one pass over memory, with their bits. Its variant is that of the first of them ([Choice.Fused]).
	// conv_fprop_stats alone gives other bits: y's are conv_fprop's, but the variant sums the statistics by its own tiles, so that they are those of bn_stats
	// only within what that may err.
	Fuses []OpID

	// Flop counts the floating-point operations of the direct algorithm.
	Flop func(Shape) float64
	// Reference computes the operation in float64, and beside each output what its rounding error is measured by.
	Reference func(*RefCall)
	// Shapes are what the conformance suite tries.
	Shapes []Shape
	// InDouble: computed in float64 at every precision, and held to its unit roundoff.
	InDouble bool
	// Exact: small-integer inputs must give the reference's bits (of variants that do not transform their inputs).
	Exact bool
}

// Cost of a call: Op.Flop, and what it needs of each operand that is present moved once.
func (o *Op) Cost(s Shape, p Precision, present func(i int) bool) Cost {
	c := Cost{Flop: o.Flop(s)}
	for i, operand := range o.Operands {
		if present != nil && !present(i) {
			continue
		}
		n := operand.Len(s)
		if operand.Moved != nil {
			n = operand.Moved(s)
		}
		b := float64(n * operand.Type.Size(p))
		if operand.Role == InOut {
			b *= 2
		}
		c.Bytes += b
	}
	return c
}

// Index finds an operand by name, or -1.
func (o *Op) Index(name string) int {
	for i := range o.Operands {
		if o.Operands[i].Name == name {
			return i
		}
	}
	return -1
}

// MaxOperands and MaxScalars bound every signature; nct.h has the same numbers.
const (
	MaxOperands = 12
	MaxScalars  = 8
)
