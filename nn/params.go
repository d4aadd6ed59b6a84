package nn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"nctrain/kernels"
)

// paramKind says what training does with a named tensor.
type paramKind uint8

const (
	trained paramKind = iota // updated by SGD
	running                  // a batch norm's running statistics
	counter                  // num_batches_tracked, int64
)

// param is a named tensor of a model.
type param struct {
	name   string
	dims   []int // PyTorch's: OIHW
	kind   paramKind
	fanIn  int     // of a trained tensor drawn by kaiming-uniform; 0: constant
	fill   float64 // of a constant
	value  *Value
	offset int // elements into the flat buffer of its kind
}

func (p *param) len() int {
	n := 1
	for _, d := range p.dims {
		n *= d
	}
	return n
}

// Parameters are the named tensors of a model, in PyTorch's order, and their memory. All trained ones lie together, as do their gradients and momenta,
// so that the optimiser is one pass.
type Parameters struct {
	list []*param

	dev       kernels.Device
	precision kernels.Precision

	weights, grads, momentum *Value // flat; set by Place
	ends                     []int  // of the tensors in them (elements)
	running, counters        kernels.Buffer
}

func (p *Parameters) declare(name string, kind paramKind, fanIn int, fill float64, dims ...int) *Value {
	device := dims
	if len(dims) == 4 {
		device = []int{dims[0], dims[2], dims[3], dims[1]}
	}
	typ := kernels.Real
	if kind == counter {
		typ, device = kernels.Int64, []int{1}
	}
	v := &Value{Name: name, Type: typ, Dims: device, resident: true}
	if kind == trained {
		v.grad = &Value{Name: "d" + name, Type: typ, Dims: device, resident: true}
	}
	p.list = append(p.list, &param{name: name, dims: dims, kind: kind, fanIn: fanIn, fill: fill, value: v})
	return v
}

// Place takes memory for all tensors on a device, zeroed.
func (p *Parameters) Place(dev kernels.Device, precision kernels.Precision) error {
	if p.dev != nil {
		return errors.New("parameters: placed already")
	}
	var elements [3]int // by kind
	for _, t := range p.list {
		t.offset = elements[t.kind]
		elements[t.kind] += (t.len() + kernels.TensorAlign - 1) / kernels.TensorAlign * kernels.TensorAlign
		if t.kind == trained {
			p.ends = append(p.ends, elements[trained])
		}
	}
	p.precision = precision
	size := precision.Size()
	take := func(n, size int) (kernels.Buffer, error) {
		if n == 0 {
			return kernels.Buffer{}, nil
		}
		return dev.Alloc(n * size)
	}
	var buffers [4]kernels.Buffer
	var err error
	for i, n := range []int{elements[trained], elements[trained], elements[trained], elements[running]} {
		if buffers[i], err = take(n, size); err != nil {
			return fmt.Errorf("parameters: %w", err)
		}
	}
	p.running = buffers[3]
	if p.counters, err = take(elements[counter], 8); err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	flat := func(name string, buffer kernels.Buffer) *Value {
		return &Value{Name: name, Type: kernels.Real, Dims: []int{elements[trained]}, resident: true, buffer: buffer}
	}
	p.weights, p.grads, p.momentum = flat("weights", buffers[0]), flat("gradients", buffers[1]), flat("momentum", buffers[2])
	for _, t := range p.list {
		t.value.buffer = p.buffer(t, p.weights.buffer)
		if t.kind == trained {
			t.value.grad.buffer = p.buffer(t, p.grads.buffer)
		}
	}
	p.dev = dev
	return nil
}

// buffer is a tensor's place: in the given flat buffer where it is trained.
func (p *Parameters) buffer(t *param, flat kernels.Buffer) kernels.Buffer {
	switch t.kind {
	case running:
		return p.running.Slice(t.offset*p.precision.Size(), t.len()*p.precision.Size())
	case counter:
		return p.counters.Slice(8*t.offset, 8)
	}
	return flat.Slice(t.offset*p.precision.Size(), t.len()*p.precision.Size())
}

// Load puts tensors with PyTorch's names on the device. Every one must be there, with its shape, and no other.
func (p *Parameters) Load(tensors []Tensor) error {
	return p.load(tensors, p.weights, func(*param) bool { return true })
}

// loadMomentum is Load for the momentum of the trained tensors.
func (p *Parameters) loadMomentum(tensors []Tensor) error {
	return p.load(tensors, p.momentum, func(t *param) bool { return t.kind == trained })
}

// Save reads all tensors back, in PyTorch's order.
func (p *Parameters) Save() ([]Tensor, error) {
	return p.save(p.weights, func(*param) bool { return true })
}

// saveMomentum is Save for the momentum of the trained tensors.
func (p *Parameters) saveMomentum() ([]Tensor, error) {
	return p.save(p.momentum, func(t *param) bool { return t.kind == trained })
}

// saveGradients is Save for the gradients of the trained tensors.
func (p *Parameters) saveGradients() ([]Tensor, error) {
	return p.save(p.grads, func(t *param) bool { return t.kind == trained })
}

func (p *Parameters) load(tensors []Tensor, flat *Value, which func(*param) bool) error {
	if err := p.check(tensors, which); err != nil {
		return err
	}
	for _, t := range tensors {
		i := slices.IndexFunc(p.list, func(q *param) bool { return q.name == t.Name })
		if err := upload(p.dev, p.buffer(p.list[i], flat.buffer), t, p.precision); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return nil
}

func (p *Parameters) save(flat *Value, which func(*param) bool) ([]Tensor, error) {
	var out []Tensor
	for _, t := range p.list {
		if !which(t) {
			continue
		}
		tensor, err := download(p.dev, p.buffer(t, flat.buffer), t.name, t.dims, t.value.Type, p.precision)
		if err != nil {
			return nil, err
		}
		out = append(out, tensor)
	}
	return out, nil
}

// listed is how many names an error gives of each kind of difference.
const listed = 6

// check compares names, shapes and types with what the model has, and names the first few of each kind of difference.
func (p *Parameters) check(tensors []Tensor, which func(*param) bool) error {
	have := map[string]Tensor{}
	for _, t := range tensors {
		have[t.Name] = t
	}
	var missing, wrong, extra []string
	for _, q := range p.list {
		if !which(q) {
			continue
		}
		t, ok := have[q.name]
		delete(have, q.name)
		switch {
		case !ok:
			missing = append(missing, q.name)
		case !slices.Equal(t.Dims, q.dims):
			wrong = append(wrong, fmt.Sprintf("%s is %v, the model has %v", q.name, t.Dims, q.dims))
		case (q.kind == counter) != (t.DType == I64) || t.DType == I32:
			wrong = append(wrong, fmt.Sprintf("%s is %s", q.name, t.DType))
		}
	}
	for name := range have {
		extra = append(extra, name)
	}
	slices.Sort(extra)
	var parts []string
	for _, group := range []struct {
		what  string
		names []string
	}{{"missing", missing}, {"wrong", wrong}, {"unknown", extra}} {
		if n := len(group.names); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", n, group.what, strings.Join(firstNames(group.names), "; ")))
		}
	}
	if len(parts) > 0 {
		return errors.New("tensors do not fit the model: " + strings.Join(parts, ", "))
	}
	return nil
}

func firstNames(names []string) []string {
	if len(names) <= listed {
		return names
	}
	return append(slices.Clone(names[:listed]), "...")
}
