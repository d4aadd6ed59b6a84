package nn

import (
	"math"

	"nctrain/internal/torchrand"
)

// Initial draws the weights of SPEC 1: bit for bit those of torch.manual_seed(seed) followed by the model's construction.
//
// PyTorch's nn.Conv2d and nn.Linear draw kaiming-uniform with a = sqrt(5): bound = sqrt(3) * gain/sqrt(fan_in), gain = sqrt(2/(1+5)); the linear
// bias has bound 1/sqrt(fan_in).
func (p *Parameters) Initial(seed uint64) []Tensor {
	rng := torchrand.New(seed)
	tensors := make([]Tensor, 0, len(p.list))
	for _, t := range p.list {
		if t.kind == counter {
			tensors = append(tensors, NewTensor(t.name, []int64{0}))
			continue
		}
		data := make([]float32, t.len())
		if t.fanIn == 0 {
			for i := range data {
				data[i] = float32(t.fill)
			}
		} else {
			bound := 1 / math.Sqrt(float64(t.fanIn))
			if len(t.dims) > 1 {
				gain := math.Sqrt(2.0 / (1 + 5))
				bound = math.Sqrt(3) * (gain / math.Sqrt(float64(t.fanIn)))
			}
			rng.Uniform(data, -bound, bound)
		}
		tensors = append(tensors, NewTensor(t.name, data, t.dims...))
	}
	return tensors
}
