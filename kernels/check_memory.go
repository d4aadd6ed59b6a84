package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// guardBytes stand before and after every buffer of a checked call: as many as the alignment, so that the buffer behind them is aligned too.
const guardBytes = arenaAlign

// guardWord is the i-th word of what lies around (and, before the call, in) a call's buffers: as float32 and as the upper or lower half of a float64
// a NaN, as an integer negative, and nowhere the same as its neighbours, so that a copy of one guard into another is seen too.
func guardWord(i int) uint32 { return 0xfff00000 | uint32(i)*0x9e3779b1>>12 | 1 }

// fillGuards fills b, which starts at a multiple of 4 bytes.
func fillGuards(b []byte) {
	for i := 0; i < len(b); i++ {
		b[i] = byte(guardWord(i/4) >> (8 * (i % 4)))
	}
}

// piece is one buffer of a checked call: an operand, the packed weights or the workspace.
type piece struct {
	name          string
	offset, bytes int // in the image
}

// image is the memory of one checked call, on the host: every piece between guards.
type image struct {
	bytes  []byte
	pieces []piece
}

// add makes room for a piece. Its memory is poison until it is written.
func (m *image) add(name string, bytes int) piece {
	p := piece{name: name, offset: len(m.bytes) + guardBytes, bytes: bytes}
	end := alignUp(p.offset+bytes, guardBytes) + guardBytes
	m.bytes = append(m.bytes, make([]byte, end-len(m.bytes))...)
	m.pieces = append(m.pieces, p)
	return p
}

func (m *image) of(p piece) []byte { return m.bytes[p.offset : p.offset+p.bytes] }

// guards are the bytes outside all pieces: of each piece those before it and those after it, up to the next one's.
func (m *image) guards() []piece {
	var out []piece
	for i, p := range m.pieces {
		end := len(m.bytes)
		if i+1 < len(m.pieces) {
			end = m.pieces[i+1].offset - guardBytes
		}
		out = append(out, piece{p.name, p.offset - guardBytes, guardBytes}, piece{p.name, p.offset + p.bytes, end - p.offset - p.bytes})
	}
	return out
}

// guardsIntact compares the guards with those of the image before.
func (m *image) guardsIntact(before *image) error {
	for i, g := range m.guards() {
		at := firstDifference(m.of(g), before.of(g))
		switch {
		case at < 0:
		case i%2 == 0:
			return fmt.Errorf("wrote before %s: %d bytes before its start", g.name, g.bytes-at)
		default:
			return fmt.Errorf("wrote past %s: byte %d after its end", g.name, at)
		}
	}
	return nil
}

// encode writes values as an operand's elements.
func encode(dst []byte, values []float64, t Type, p Precision) {
	size := t.Size(p)
	for i, v := range values {
		b := dst[i*size:]
		switch {
		case t == Uint8:
			b[0] = uint8(v)
		case t == Int32:
			binary.LittleEndian.PutUint32(b, uint32(int32(v)))
		case t == Int64:
			binary.LittleEndian.PutUint64(b, uint64(int64(v)))
		case size == 4:
			binary.LittleEndian.PutUint32(b, math.Float32bits(float32(v)))
		default:
			binary.LittleEndian.PutUint64(b, math.Float64bits(v))
		}
	}
}

// decode reads an operand's i-th element.
func decode(src []byte, i int, t Type, p Precision) float64 {
	b := src[i*t.Size(p):]
	switch {
	case t == Uint8:
		return float64(b[0])
	case t == Int32:
		return float64(int32(binary.LittleEndian.Uint32(b)))
	case t == Int64:
		return float64(int64(binary.LittleEndian.Uint64(b)))
	case t.Size(p) == 4:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// poisoned reports whether element i still holds what fillGuards put there.
func poisoned(src, before []byte, i, size int) bool {
	return string(src[i*size:(i+1)*size]) == string(before[i*size:(i+1)*size])
}

// axes names an operand's dimensions for messages, in the letters of the formulas.
func axes(op *Op, o *Operand, dims int) string {
	switch {
	case dims == 4 && (o.Name == "w" || o.Name == "dw"):
		return "krsc"
	case dims == 4 && (o.Name == "y" || o.Name == "dy") && op.Index("w")+op.Index("dw") > -2:
		return "npqk"
	case dims == 4 && o.Name == "images":
		return "ihwc"
	case dims == 4:
		return "nhwc"
	case dims == 2 && (o.Name == "w" || o.Name == "dw"):
		return "kc"
	case o.Name == "second":
		return "ij"
	case dims == 2 && op.ID == ClassMoments && o.Name != "x":
		return "kc"
	case dims == 2 && o.Name == "lut":
		return "vc"
	case dims == 2 && (op.Index("w") >= 0 || op.Index("dw") >= 0) && (o.Name == "y" || o.Name == "dy"), dims == 2 && op.ID == CrossEntropy:
		return "nk"
	case dims == 2:
		return "nc"
	}
	return "i"
}

// element is an operand's i-th element in words: "dx[n=0,h=3,w=4,c=2]".
func element(op *Op, o *Operand, s Shape, i int) string {
	dims := o.Dims(s)
	names := axes(op, o, len(dims))
	parts := make([]string, len(dims))
	for d := len(dims) - 1; d >= 0; d-- {
		parts[d] = fmt.Sprintf("%c=%d", names[d], i%dims[d])
		i /= dims[d]
	}
	return o.Name + "[" + strings.Join(parts, ",") + "]"
}
