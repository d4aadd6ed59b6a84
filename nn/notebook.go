package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"nctrain/internal/pth"
)

// NotebookRun is a checkpoint of the notebook: all that training goes on from.
type NotebookRun struct {
	*Checkpoint
	Settings TrainSettings // epochs, learning rate, momentum and weight decay; the file does not know the others
	Momentum []Tensor      // by parameter name
	History  []Epoch
}

// LoadNotebook reads a .pth that the notebook's training loop saved, and checks that its parts fit each other and the network:
//
//	model_state_dict      the network's
//	optimizer_state_dict  torch.optim.SGD's: one group, a momentum_buffer a parameter, numbered in the order of the network's parameters
//	sheduler_state_dict   CosineAnnealingLR's to 0 (the name is the notebook's)
//	epoch                 epochs done
//	train_losses, train_accuracies, val_losses, val_accuracies    an entry an epoch; what the notebook calls validation is the test set
func LoadNotebook(path string) (*NotebookRun, error) {
	torch, err := isTorch(path)
	if err != nil {
		return nil, err
	}
	if !torch {
		return nil, fmt.Errorf("weights: %s: neither a run directory nor a .pth of torch.save: training goes on from the --out of an earlier run, or from the notebook's .pth", path)
	}
	f, err := openTorch(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.notebook()
}

func (f *torchFile) notebook() (*NotebookRun, error) {
	if _, whole := f.root.Get("optimizer_state_dict"); !whole {
		return nil, fmt.Errorf("weights: %s: weights alone, no optimizer_state_dict to go on with: name a .pth of the notebook's training loop", f.path)
	}
	c, err := f.checkpoint()
	if err != nil {
		return nil, err
	}
	n := &NotebookRun{Checkpoint: c}
	for _, read := range []func(*torchFile) error{n.readEpoch, n.readSchedule, n.readOptimizer, n.readHistory} {
		if err := read(f); err != nil {
			return nil, fmt.Errorf("weights: %s: %w: name a .pth of the notebook's training loop", f.path, err)
		}
	}
	return n, nil
}

func (n *NotebookRun) readEpoch(*torchFile) error {
	if !n.EpochKnown {
		return errors.New("epoch is not a number of epochs")
	}
	return nil
}

func (n *NotebookRun) readSchedule(f *torchFile) error {
	const name = "sheduler_state_dict"
	schedule, err := dictAt(f.root, name)
	if err != nil {
		return err
	}
	period, err1 := numberAt(schedule, "T_max")
	floor, err2 := numberAt(schedule, "eta_min")
	last, err3 := numberAt(schedule, "last_epoch")
	rates, err4 := listAt(schedule, "base_lrs")
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	switch {
	case floor != 0:
		return fmt.Errorf("%s: eta_min %g: only a cosine to 0 can be gone on with", name, floor)
	case len(rates) != 1:
		return fmt.Errorf("%s: %d base_lrs, one is wanted", name, len(rates))
	case last != float64(n.Meta.Epoch):
		return fmt.Errorf("%s: last_epoch %g, epoch says %d", name, last, n.Meta.Epoch)
	case period != math.Trunc(period) || period < 1 || period > 1<<30 || period < last:
		return fmt.Errorf("%s: T_max %g after %g epochs", name, period, last)
	}
	n.Settings.Epochs, n.Settings.LR = int(period), rates[0]
	return nil
}

func (n *NotebookRun) readOptimizer(f *torchFile) error {
	const name = "optimizer_state_dict"
	optimizer, err := dictAt(f.root, name)
	if err != nil {
		return err
	}
	wrong := func(format string, args ...any) error { return fmt.Errorf(name+": "+format, args...) }
	groups, _ := optimizer.Get("param_groups")
	items, isList := groups.(*pth.List)
	if !isList || len(items.Items) != 1 {
		return wrong("param_groups is no list of one group")
	}
	group, isDict := items.Items[0].(*pth.Dict)
	if !isDict {
		return wrong("param_groups[0] is no dict")
	}
	for key, to := range map[string]*float64{"momentum": &n.Settings.Momentum, "weight_decay": &n.Settings.WeightDecay} {
		if *to, err = numberAt(group, key); err != nil {
			return wrong("param_groups[0]: %w", err)
		}
	}
	for _, key := range []string{"dampening", "nesterov", "maximize"} {
		if value, there := group.Get(key); there && value != int64(0) && value != 0.0 && value != false {
			return wrong("%s is %.40v: only plain SGD with momentum can be gone on with", key, value)
		}
	}
	params, err := listAt(group, "params")
	if err != nil {
		return wrong("param_groups[0]: %w", err)
	}
	parameters := n.parameters(f)
	if len(params) != len(parameters) {
		return wrong("%d parameters, the network has %d", len(params), len(parameters))
	}
	state, err := dictAt(optimizer, "state")
	if err != nil {
		return wrong("%w", err)
	}
	if state.Len() != 0 && state.Len() != len(params) {
		return wrong("state of %d of %d parameters", state.Len(), len(params))
	}
	for i, p := range parameters {
		buffer := NewTensor(p.name, make([]float32, p.len()), p.dims...) // before its first step SGD has none, and g = 0*m + g
		if state.Len() > 0 {
			if buffer, err = momentumBuffer(state, int64(params[i]), p); err != nil {
				return wrong("%w", err)
			}
		}
		n.Momentum = append(n.Momentum, buffer)
	}
	return nil
}

// parameters are the trained tensors in the order of the file's state_dict, which is that of model.parameters(): module by module, and buffers left out.
func (n *NotebookRun) parameters(f *torchFile) []*param {
	var out []*param
	for _, key := range f.state.Keys() {
		name := ourName(key.(string), nil)
		for _, p := range n.Model.list {
			if p.name == name && p.kind == trained {
				out = append(out, p)
			}
		}
	}
	return out
}

func momentumBuffer(state *pth.Dict, number int64, p *param) (Tensor, error) {
	entry, _ := state.Get(number)
	dict, ok := entry.(*pth.Dict)
	if !ok {
		return Tensor{}, fmt.Errorf("no state of parameter %d, %s", number, p.name)
	}
	value, _ := dict.Get("momentum_buffer")
	t, ok := value.(*pth.Tensor)
	if !ok || t.DType == pth.Int64 || !slices.Equal(t.Dims, p.dims) {
		return Tensor{}, fmt.Errorf("the momentum_buffer of parameter %d is no tensor of %v, which %s has", number, p.dims, p.name)
	}
	return readTorch(p.name, t)
}

func (n *NotebookRun) readHistory(f *torchFile) error {
	epochs := n.Meta.Epoch
	var columns [4][]float64
	for i, key := range []string{"train_losses", "train_accuracies", "val_losses", "val_accuracies"} {
		var err error
		if columns[i], err = listAt(f.root, key); err != nil {
			return err
		}
		if len(columns[i]) != epochs {
			return fmt.Errorf("%s has %d entries after %d epochs", key, len(columns[i]), epochs)
		}
		for e, v := range columns[i] {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("%s: epoch %d is not finite: the training had diverged", key, e+1)
			}
		}
	}
	for e := range epochs {
		n.History = append(n.History, Epoch{
			Epoch: e + 1, LR: cosineLR(n.Settings.LR, e, n.Settings.Epochs), TrainLoss: columns[0][e], TrainAccuracy: columns[1][e],
			Test: &Evaluation{Loss: columns[2][e], Accuracy: columns[3][e]},
		})
	}
	return nil
}

// State is where a run of nctrain goes on, with its own seed, in epochs of so many batches.
func (n *NotebookRun) State(seed uint64, batches int) State {
	return State{
		Seed: seed, Progress: Progress{Step: n.Meta.Epoch * batches, Epoch: n.Meta.Epoch}, History: n.History, Model: n.Tensors, Momentum: n.Momentum,
	}
}

// BatchesSeen is the number of training batches that the network's batch norms counted.
func (n *NotebookRun) BatchesSeen() int64 {
	for _, t := range n.Tensors {
		if t.Name == "bn1.num_batches_tracked" {
			return View[int64](t)[0]
		}
	}
	return 0
}

func dictAt(d *pth.Dict, key string) (*pth.Dict, error) {
	value, _ := d.Get(key)
	dict, ok := value.(*pth.Dict)
	if !ok {
		return nil, fmt.Errorf("no dict %s", key)
	}
	return dict, nil
}

func numberAt(d *pth.Dict, key string) (float64, error) {
	value, _ := d.Get(key)
	x, ok := number(value)
	if !ok {
		return 0, fmt.Errorf("no number %s", key)
	}
	return x, nil
}

func listAt(d *pth.Dict, key string) ([]float64, error) {
	value, _ := d.Get(key)
	list, ok := value.(*pth.List)
	if !ok {
		return nil, fmt.Errorf("no list %s", key)
	}
	var out []float64
	for i, item := range list.Items {
		x, ok := number(item)
		if !ok {
			return nil, fmt.Errorf("%s[%d] is no number", key, i)
		}
		out = append(out, x)
	}
	return out, nil
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
