package nn

import (
	"fmt"

	"nctrain/nn/data"
)

// BatchNorm2d holds a batch norm's tensors, [C] each but the counter.
type BatchNorm2d struct {
	Weight, Bias, RunningMean, RunningVar, NumBatches *Value
}

// resUnit is conv3x3-BN-ReLU-conv3x3-BN plus the shortcut, then ReLU (SPEC 1).
type resUnit struct {
	stride       int
	c1, c2       *Value
	b1, b2       *BatchNorm2d
	shortcutConv *Value // nil: identity
	shortcutBN   *BatchNorm2d
}

// ResNet18 is SPEC 1's network for 32x32 images: PyTorch's names in PyTorch's order.
type ResNet18 struct {
	Parameters
	Classes, Width int
	Normalization  Normalization // of the images that it takes; the notebook's unless told

	stem   *Value
	stemBN *BatchNorm2d
	units  []*resUnit
	fc     struct{ weight, bias *Value }
}

// NewResNet18 describes the network; [Parameters.Place] gives it memory. width is the channels of the first stage (64 in the notebook).
func NewResNet18(classes, width int) (*ResNet18, error) {
	if classes < 1 || width < 1 {
		return nil, fmt.Errorf("network: %d classes and width %d: both must be at least 1", classes, width)
	}
	m := &ResNet18{Classes: classes, Width: width, Normalization: CIFARNormalization}
	m.stem = m.conv("conv1.weight", data.Channels, width, 3)
	m.stemBN = m.batchNorm("bn1", width)
	in := width
	for stage := range 4 {
		out := width << stage
		for i := range 2 {
			u := &resUnit{stride: 1}
			if i == 0 && stage > 0 {
				u.stride = 2
			}
			name := fmt.Sprintf("layer%d.%d.", stage+1, i)
			u.c1 = m.conv(name+"c1.weight", in, out, 3)
			u.b1 = m.batchNorm(name+"b1", out)
			u.c2 = m.conv(name+"c2.weight", out, out, 3)
			u.b2 = m.batchNorm(name+"b2", out)
			if u.stride != 1 || in != out {
				u.shortcutConv = m.conv(name+"shortcut.0.weight", in, out, 1)
				u.shortcutBN = m.batchNorm(name+"shortcut.1", out)
			}
			m.units = append(m.units, u)
			in = out
		}
	}
	m.fc.weight = m.declare("fc.weight", trained, in, 0, classes, in)
	m.fc.bias = m.declare("fc.bias", trained, in, 0, classes)
	return m, nil
}

// Features is the width of the features: the last stage's channels.
func (m *ResNet18) Features() int { return m.Width << 3 }

func (m *ResNet18) conv(name string, in, out, size int) *Value {
	return m.declare(name, trained, in*size*size, 0, out, in, size, size)
}

func (m *ResNet18) batchNorm(name string, c int) *BatchNorm2d {
	return &BatchNorm2d{
		Weight:      m.declare(name+".weight", trained, 0, 1, c),
		Bias:        m.declare(name+".bias", trained, 0, 0, c),
		RunningMean: m.declare(name+".running_mean", running, 0, 0, c),
		RunningVar:  m.declare(name+".running_var", running, 0, 1, c),
		NumBatches:  m.declare(name+".num_batches_tracked", counter, 0, 0),
	}
}

// Forward records the network on images x [N,H,W,3]: features [N, 8*width] and logits [N, classes].
func (m *ResNet18) Forward(g *Graph, x *Value) (features, logits *Value) {
	h := g.ReLU(g.BatchNorm(g.Conv2d(x, m.stem, 1, 1), m.stemBN))
	for _, u := range m.units {
		h = u.forward(g, h)
	}
	features = g.GlobalAvgPool(h)
	return features, g.Linear(features, m.fc.weight, m.fc.bias)
}

func (u *resUnit) forward(g *Graph, x *Value) *Value {
	h := g.ReLU(g.BatchNorm(g.Conv2d(x, u.c1, u.stride, 1), u.b1))
	h = g.BatchNorm(g.Conv2d(h, u.c2, 1, 1), u.b2)
	if u.shortcutConv != nil {
		x = g.BatchNorm(g.Conv2d(x, u.shortcutConv, u.stride, 0), u.shortcutBN)
	}
	return g.ReLU(g.Add(h, x))
}
