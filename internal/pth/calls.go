package pth

import (
	"bytes"
	"errors"
	"fmt"
)

// GLOBAL: two lines, module and name
func (m *machine) global() error {
	var parts [2]string
	for i := range parts {
		end := bytes.IndexByte(m.in[m.at:], '\n')
		if end < 0 {
			return errors.New("a name without an end: the pickle is damaged")
		}
		line, err := m.take(end + 1)
		if err != nil {
			return err
		}
		parts[i] = string(line[:end])
	}
	g := global(parts[0] + "." + parts[1])
	if _, storage := storageTypes[g]; storage || g == orderedDict || g == rebuildTensor || g == rebuildParameter {
		return m.push(g)
	}
	return fmt.Errorf("a pickle with code: it names %.80q, and only tensors (float16, bfloat16, 32, 64, int64) and plain values are read, nothing is run: "+
		"load it in PyTorch if you trust it, and save its state_dict() alone", string(g))
}

// BINPERSID: ("storage", class, key, location, elements)
func (m *machine) persistentID() error {
	values, err := m.pop(1)
	if err != nil {
		return err
	}
	id, ok := values[0].(Tuple)
	if !ok || len(id) != 5 || id[0] != "storage" {
		return errors.New("a reference that is not to a storage")
	}
	class, isClass := id[1].(global)
	typ, isStorage := storageTypes[class]
	key, isKey := id[2].(string)
	n, isCount := id[4].(int64)
	if !isClass || !isStorage || !isKey || !isCount {
		return fmt.Errorf("a storage of (%s, %s, %s): want class, key and number of elements", kind(id[1]), kind(id[2]), kind(id[4]))
	}
	s, err := m.file.storage(typ, key, n)
	if err != nil {
		return err
	}
	return m.push(s)
}

// REDUCE: one of the three calls that there are
func (m *machine) reduce() error {
	values, err := m.pop(2)
	if err != nil {
		return err
	}
	function, isGlobal := values[0].(global)
	args, isTuple := values[1].(Tuple)
	switch {
	case !isGlobal || !isTuple:
	case function == orderedDict && len(args) == 0:
		return m.push(&Dict{})
	case function == rebuildTensor && len(args) >= 6:
		t, err := newTensor(args)
		if err != nil {
			return err
		}
		if m.bytes += t.n * t.DType.size(); m.bytes > m.file.size {
			return fmt.Errorf("its tensors claim more bytes than the file's %d: many share one storage; save it again with clones", m.file.size)
		}
		return m.push(t)
	case function == rebuildParameter && len(args) >= 1:
		if t, ok := args[0].(*Tensor); ok {
			return m.push(t)
		}
	}
	return fmt.Errorf("calls %s (%.80q) with %s: not a call that torch.save writes", kind(values[0]), fmt.Sprint(function), kind(values[1]))
}

// BUILD: the attributes of an OrderedDict, which hold no weights
func (m *machine) build() error {
	if _, err := m.pop(1); err != nil {
		return err
	}
	target, err := m.top()
	if err != nil {
		return err
	}
	if _, ok := target.(*Dict); !ok {
		return fmt.Errorf("sets attributes of %s", kind(target))
	}
	return nil
}
