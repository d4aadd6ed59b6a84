package pth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// machine runs a pickle (protocol 2, as torch.save writes by default) over values that can do nothing. It takes constant memory a byte of the program.
type machine struct {
	file  *File
	in    []byte
	at    int
	stack []any
	marks []int // stack heights
	memo  map[uint32]any
	bytes int64 // of the tensors so far
	done  bool
}

func newMachine(program []byte, f *File) *machine {
	return &machine{file: f, in: program, memo: map[uint32]any{}}
}

// global is a function or class that a pickle names, "module.name".
type global string

// The functions that may be called.
const (
	orderedDict      global = "collections.OrderedDict"
	rebuildTensor    global = "torch._utils._rebuild_tensor_v2"
	rebuildParameter global = "torch._utils._rebuild_parameter"
)

// storageTypes are the classes that may be named.
var storageTypes = map[global]DType{
	"torch.FloatStorage": Float32, "torch.DoubleStorage": Float64, "torch.HalfStorage": Float16, "torch.BFloat16Storage": BFloat16, "torch.LongStorage": Int64,
}

// opcodes are all that a pickle can do here, by the names of Python's pickletools.
var opcodes = map[byte]func(*machine) error{
	0x80: (*machine).proto,
	'.':  (*machine).stop,

	'N':  func(m *machine) error { return m.push(nil) },   // NONE
	0x88: func(m *machine) error { return m.push(true) },  // NEWTRUE
	0x89: func(m *machine) error { return m.push(false) }, // NEWFALSE
	'J':  (*machine).binInt,
	'K':  (*machine).binInt1,
	'M':  (*machine).binInt2,
	0x8a: (*machine).long1,
	'G':  (*machine).binFloat,
	'X':  (*machine).binUnicode,

	'(':  func(m *machine) error { m.marks = append(m.marks, len(m.stack)); return nil }, // MARK
	')':  func(m *machine) error { return m.push(Tuple{}) },                              // EMPTY_TUPLE
	']':  func(m *machine) error { return m.push(&List{}) },                              // EMPTY_LIST
	'}':  func(m *machine) error { return m.push(&Dict{}) },                              // EMPTY_DICT
	't':  (*machine).tuple,
	0x85: func(m *machine) error { return m.tupleOf(1) }, // TUPLE1
	0x86: func(m *machine) error { return m.tupleOf(2) }, // TUPLE2
	0x87: func(m *machine) error { return m.tupleOf(3) }, // TUPLE3
	'a':  (*machine).appendOne,
	'e':  (*machine).appends,
	's':  (*machine).setItem,
	'u':  (*machine).setItems,

	'q': func(m *machine) error { return m.put(1) }, // BINPUT
	'r': func(m *machine) error { return m.put(4) }, // LONG_BINPUT
	'h': func(m *machine) error { return m.get(1) }, // BINGET
	'j': func(m *machine) error { return m.get(4) }, // LONG_BINGET

	'c': (*machine).global,
	'Q': (*machine).persistentID,
	'R': (*machine).reduce,
	'b': (*machine).build,
}

var errUnderflow = errors.New("takes more from the stack than is there: the pickle is damaged")

// run gives the object that the program leaves.
func (m *machine) run() (any, error) {
	for !m.done {
		at := m.at
		op, err := m.take(1)
		if err != nil {
			return nil, err
		}
		do, ok := opcodes[op[0]]
		if !ok {
			return nil, fmt.Errorf("byte %d: opcode 0x%02x is none that torch.save writes by default: load it in PyTorch if you trust it, and save its state_dict() again", at, op[0])
		}
		if err := do(m); err != nil {
			return nil, fmt.Errorf("byte %d: %w", at, err)
		}
	}
	return m.stack[0], nil
}

// take is the next n bytes of the program.
func (m *machine) take(n int) ([]byte, error) {
	if n > len(m.in)-m.at {
		return nil, fmt.Errorf("ends at byte %d, in the middle of an instruction: it was cut short; copy it again", len(m.in))
	}
	m.at += n
	return m.in[m.at-n : m.at], nil
}

func (m *machine) push(v any) error {
	m.stack = append(m.stack, v)
	return nil
}

// pop takes the n values on top, none from under the last mark. They are valid until the next push.
func (m *machine) pop(n int) ([]any, error) {
	floor := 0
	if k := len(m.marks); k > 0 {
		floor = m.marks[k-1]
	}
	top := len(m.stack) - n
	if top < floor {
		return nil, errUnderflow
	}
	values := m.stack[top:]
	m.stack = m.stack[:top]
	return values, nil
}

// popMark takes the values above the last mark, and the mark.
func (m *machine) popMark() ([]any, error) {
	k := len(m.marks)
	if k == 0 {
		return nil, errUnderflow
	}
	values, err := m.pop(len(m.stack) - m.marks[k-1])
	m.marks = m.marks[:k-1]
	return values, err
}

// top is the value on top, left where it is.
func (m *machine) top() (any, error) {
	values, err := m.pop(1)
	if err != nil {
		return nil, err
	}
	m.stack = m.stack[:len(m.stack)+1]
	return values[0], nil
}

// PROTO
func (m *machine) proto() error {
	version, err := m.take(1)
	if err == nil && version[0] > 2 {
		return fmt.Errorf("pickle protocol %d: save it again with torch.save's default, protocol 2", version[0])
	}
	return err
}

// STOP
func (m *machine) stop() error {
	if len(m.stack) != 1 || len(m.marks) != 0 || m.at != len(m.in) {
		return fmt.Errorf("stops with %d values and %d bytes left over: the pickle is damaged", len(m.stack), len(m.in)-m.at)
	}
	m.done = true
	return nil
}

// BININT: int32
func (m *machine) binInt() error {
	b, err := m.take(4)
	if err != nil {
		return err
	}
	return m.push(int64(int32(binary.LittleEndian.Uint32(b))))
}

// BININT1: uint8
func (m *machine) binInt1() error {
	b, err := m.take(1)
	if err != nil {
		return err
	}
	return m.push(int64(b[0]))
}

// BININT2: uint16
func (m *machine) binInt2() error {
	b, err := m.take(2)
	if err != nil {
		return err
	}
	return m.push(int64(binary.LittleEndian.Uint16(b)))
}

// LONG1: two's complement of a length in one byte
func (m *machine) long1() error {
	n, err := m.take(1)
	if err != nil {
		return err
	}
	b, err := m.take(int(n[0]))
	if err != nil {
		return err
	}
	if len(b) > 8 {
		return fmt.Errorf("an integer of %d bytes, more than int64 holds", len(b))
	}
	v := int64(0)
	for i, digit := range b {
		v |= int64(digit) << (8 * i)
	}
	shift := 8 * (8 - len(b)) // sign extension; none of no bytes, which are 0
	return m.push(v << shift >> shift)
}

// BINFLOAT: big-endian float64
func (m *machine) binFloat() error {
	b, err := m.take(8)
	if err != nil {
		return err
	}
	return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
}

// BINUNICODE: UTF-8 of a length in four bytes
func (m *machine) binUnicode() error {
	b, err := m.take(4)
	if err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(b)
	if int64(n) > int64(len(m.in)-m.at) {
		return fmt.Errorf("a string of %d bytes where %d are left: the pickle is damaged", n, len(m.in)-m.at)
	}
	if b, err = m.take(int(n)); err != nil {
		return err
	}
	if !utf8.Valid(b) {
		return errors.New("a string that is not UTF-8")
	}
	return m.push(string(b))
}

// TUPLE
func (m *machine) tuple() error {
	values, err := m.popMark()
	if err != nil {
		return err
	}
	return m.push(append(Tuple{}, values...))
}

func (m *machine) tupleOf(n int) error {
	values, err := m.pop(n)
	if err != nil {
		return err
	}
	return m.push(append(Tuple{}, values...))
}

// APPEND
func (m *machine) appendOne() error {
	values, err := m.pop(1)
	if err != nil {
		return err
	}
	return m.extend(values)
}

// APPENDS
func (m *machine) appends() error {
	values, err := m.popMark()
	if err != nil {
		return err
	}
	return m.extend(values)
}

// extend appends values, still above the stack, to the list on top.
func (m *machine) extend(values []any) error {
	target, err := m.top()
	if err != nil {
		return err
	}
	list, ok := target.(*List)
	if !ok {
		return fmt.Errorf("appends to %s", kind(target))
	}
	list.Items = append(list.Items, values...)
	return nil
}

// SETITEM
func (m *machine) setItem() error {
	values, err := m.pop(2)
	if err != nil {
		return err
	}
	return m.update(values)
}

// SETITEMS
func (m *machine) setItems() error {
	values, err := m.popMark()
	if err != nil {
		return err
	}
	return m.update(values)
}

// update sets pairs of key and value, still above the stack, in the dict on top.
func (m *machine) update(pairs []any) error {
	target, err := m.top()
	if err != nil {
		return err
	}
	dict, ok := target.(*Dict)
	if !ok || len(pairs)%2 != 0 {
		return fmt.Errorf("sets %d keys and values of %s", len(pairs), kind(target))
	}
	for i := 0; i < len(pairs); i += 2 {
		if err := dict.set(pairs[i], pairs[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// number reads the index of a memo, of n bytes.
func (m *machine) number(n int) (uint32, error) {
	b, err := m.take(n)
	if err != nil {
		return 0, err
	}
	if n == 1 {
		return uint32(b[0]), nil
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (m *machine) put(n int) error {
	i, err := m.number(n)
	if err != nil {
		return err
	}
	m.memo[i], err = m.top()
	return err
}

func (m *machine) get(n int) error {
	i, err := m.number(n)
	if err != nil {
		return err
	}
	v, ok := m.memo[i]
	if !ok {
		return fmt.Errorf("recalls value %d, which was never stored: the pickle is damaged", i)
	}
	return m.push(v)
}
