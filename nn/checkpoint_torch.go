package nn

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"nctrain/internal/pth"
)

// torchFile is an open .pth with the state_dict of a network in it.
type torchFile struct {
	*pth.File
	path  string
	root  *pth.Dict
	state *pth.Dict
}

// isTorch tells whether a file was written by torch.save.
func isTorch(path string) (bool, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("weights: %w: check the path", err)
	}
	if err != nil {
		return false, fmt.Errorf("weights: %w", err)
	}
	defer file.Close()
	start := make([]byte, 16)
	n, err := io.ReadFull(file, start)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return false, fmt.Errorf("weights: %w", err)
	}
	return pth.Sniff(start[:n]), nil
}

const notebookModel = "model_state_dict"

// stateKeys are the keys under which training scripts save a network's state_dict; OpenOOD and others save it alone.
var stateKeys = []string{notebookModel, "state_dict", "net", "model"}

func openTorch(path string) (*torchFile, error) {
	file, err := pth.Open(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	f := &torchFile{File: file, path: path}
	if err := f.find(); err != nil {
		file.Close()
		return nil, fmt.Errorf("weights: %s: %w", path, err)
	}
	return f, nil
}

// find looks for the state_dict: under one of the known keys, or the saved object itself.
func (f *torchFile) find() error {
	root, ok := f.Root().(*pth.Dict)
	if !ok {
		return errors.New("holds no dict: save a state_dict(), or a dict with model_state_dict")
	}
	f.root = root
	for _, key := range stateKeys {
		if value, ok := root.Get(key); ok {
			if f.state, ok = value.(*pth.Dict); !ok {
				return fmt.Errorf("%s is no dict: save model.state_dict() there", key)
			}
			return nil
		}
	}
	if keys := root.Keys(); len(keys) > 0 {
		if first, _ := root.Get(keys[0]); isTensor(first) {
			f.state = root
			return nil
		}
	}
	return fmt.Errorf("no state_dict among its keys (%s): save it under one of %s, or alone", list(root.Keys(), 6), strings.Join(stateKeys, ", "))
}

func isTensor(v any) bool {
	_, ok := v.(*pth.Tensor)
	return ok
}

// list names up to n things.
func list(things []any, n int) string {
	var names []string
	for _, thing := range things[:min(n, len(things))] {
		names = append(names, fmt.Sprintf("%.40s", fmt.Sprint(thing)))
	}
	if len(things) > n {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// tensors reads the state_dict, in its order.
func (f *torchFile) tensors() ([]Tensor, error) {
	var out []Tensor
	for _, key := range f.state.Keys() {
		value, _ := f.state.Get(key)
		name, isName := key.(string)
		t, ok := value.(*pth.Tensor)
		if !isName || !ok {
			return nil, fmt.Errorf("weights: %s: %.80v among the weights is no tensor: save the network's state_dict() alone", f.path, key)
		}
		tensor, err := readTorch(name, t)
		if err != nil {
			return nil, fmt.Errorf("weights: %s: %w", name, err)
		}
		out = append(out, tensor)
	}
	return out, nil
}

// readTorch reads a tensor out of the file: 16-bit types widened to float32, float64 rounded to it.
func readTorch(name string, t *pth.Tensor) (Tensor, error) {
	if t.DType == pth.Int64 {
		values, err := t.Int64s()
		return NewTensor(name, values, t.Dims...), err
	}
	values, err := t.Float32s()
	return NewTensor(name, values, t.Dims...), err
}

// checkpoint is the file's network. The notebook tells its epoch; others count from 0 or 1 as they please, so theirs stays unknown.
func (f *torchFile) checkpoint() (*Checkpoint, error) {
	tensors, err := f.tensors()
	if err != nil {
		return nil, err
	}
	var meta Metadata
	known := false
	if _, notebook := f.root.Get(notebookModel); notebook {
		if epoch, ok := f.root.Get("epoch"); ok {
			if n, isInt := epoch.(int64); isInt && n >= 0 && n < 1<<31 {
				meta.Epoch, known = int(n), true
			}
		}
	}
	c, err := newCheckpoint(f.path, tensors, meta, known)
	if err != nil {
		return nil, err
	}
	for _, key := range f.state.Keys() {
		value, _ := f.state.Get(key)
		if value.(*pth.Tensor).DType == pth.Float64 {
			c.Mapping.Narrowed = append(c.Mapping.Narrowed, ourName(key.(string), nil))
		}
	}
	return c, nil
}
