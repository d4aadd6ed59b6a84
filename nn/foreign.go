package nn

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// foreignName is a way in which other code names what SPEC 1 names otherwise.
type foreignName struct {
	pattern  *regexp.Regexp
	ours     string // the replacement
	from, to string // for people
}

// foreignNames are those of torchvision, OpenOOD and the CIFAR networks descended from them, under which this ResNet-18 is published. They are applied
// in their order, and none changes a name of ours.
var foreignNames = []foreignName{
	{regexp.MustCompile(`^module\.`), ``, "module.*", "*"}, // DataParallel
	{regexp.MustCompile(`^(layer\d+\.\d+)\.conv([12])\.`), `$1.c$2.`, "layerN.N.conv1, conv2", "c1, c2"},
	{regexp.MustCompile(`^(layer\d+\.\d+)\.bn([12])\.`), `$1.b$2.`, "layerN.N.bn1, bn2", "b1, b2"},
	{regexp.MustCompile(`^(layer\d+\.\d+)\.downsample\.`), `$1.shortcut.`, "layerN.N.downsample", "shortcut"},
	{regexp.MustCompile(`^linear\.`), `fc.`, "linear", "fc"},
}

// Mapping says what was done to a foreign file's tensors to make them this network's.
type Mapping struct {
	Renamed  []string `json:"renamed,omitempty"`  // "FROM -> TO (tensors)", a line a rule that applied
	Added    []string `json:"added,omitempty"`    // counters that the file lacks, set to 0
	Narrowed []string `json:"narrowed,omitempty"` // float64 tensors, rounded to float32
}

// Lines are the mapping for people; none where the file was this network's as it stands.
func (m Mapping) Lines() []string {
	lines := slices.Clone(m.Renamed)
	if n := len(m.Added); n > 0 {
		lines = append(lines, fmt.Sprintf("%d counters that the file lacks set to 0 (%s, ...)", n, m.Added[0]))
	}
	if n := len(m.Narrowed); n > 0 {
		lines = append(lines, fmt.Sprintf("%d tensors rounded from float64 to float32 (%s, ...)", n, m.Narrowed[0]))
	}
	return lines
}

// adopt makes tensors of a file this network's: SPEC 1's names in PyTorch's order, float32 and int64. The network is described, not placed.
func adopt(tensors []Tensor) ([]Tensor, *ResNet18, Mapping, error) {
	var mapping Mapping
	applied := make([]int, len(foreignNames))
	from := map[string]string{} // the file's name of each tensor
	out := make([]Tensor, 0, len(tensors))
	for _, t := range tensors {
		name := ourName(t.Name, applied)
		if other, twice := from[name]; twice {
			return nil, nil, mapping, fmt.Errorf("%s and %s are both this network's %s: save one network's state_dict() alone", other, t.Name, name)
		}
		from[name] = t.Name
		t.Name = name
		if t.DType == F64 {
			t = narrowed(t)
			mapping.Narrowed = append(mapping.Narrowed, name)
		}
		out = append(out, t)
	}
	for i, n := range applied {
		if r := foreignNames[i]; n > 0 {
			mapping.Renamed = append(mapping.Renamed, fmt.Sprintf("%s -> %s (%d tensors)", r.from, r.to, n))
		}
	}
	model, err := describe(out)
	if err != nil {
		return nil, nil, mapping, err
	}
	for _, p := range model.list {
		if _, there := from[p.name]; !there && p.kind == counter {
			out = append(out, NewTensor(p.name, []int64{0}))
			mapping.Added = append(mapping.Added, p.name)
		}
	}
	if err := model.check(out, func(*param) bool { return true }); err != nil {
		if len(mapping.Renamed) > 0 {
			err = fmt.Errorf("%w (after %s)", err, strings.Join(mapping.Renamed, "; "))
		}
		return nil, nil, mapping, fmt.Errorf("%w: only a ResNet-18 for 32x32 images fits, with a 3x3 stem and a biased last layer", err)
	}
	order := make(map[string]int, len(model.list))
	for i, p := range model.list {
		order[p.name] = i
	}
	slices.SortFunc(out, func(a, b Tensor) int { return order[a.Name] - order[b.Name] })
	return out, model, mapping, nil
}

// ourName is SPEC 1's name of a tensor; applied counts the rules that made it so, and may be nil.
func ourName(name string, applied []int) string {
	for i, r := range foreignNames {
		if renamed := r.pattern.ReplaceAllString(name, r.ours); renamed != name {
			name = renamed
			if applied != nil {
				applied[i]++
			}
		}
	}
	return name
}

func narrowed(t Tensor) Tensor {
	wide := View[float64](t)
	narrow := make([]float32, len(wide))
	for i, v := range wide {
		narrow[i] = float32(v)
	}
	return NewTensor(t.Name, narrow, t.Dims...)
}
