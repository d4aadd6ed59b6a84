package nn

import (
	"fmt"

	"nctrain/kernels"
	"nctrain/nn/data"
)

// Normalization is the mean and standard deviation of each channel of images scaled to [0,1].
type Normalization struct {
	Mean [data.Channels]float32 `json:"mean"`
	Std  [data.Channels]float32 `json:"std"`
}

// CIFARNormalization is the notebook's, used for every set unless told.
var CIFARNormalization = Normalization{
	Mean: [data.Channels]float32{0.4914, 0.4822, 0.4465},
	Std:  [data.Channels]float32{0.2023, 0.1994, 0.2010},
}

// table gives the normalised value of each pixel value and channel [256,C], rounded as torchvision's ToTensor and Normalize round: float32 after each
// of the division by 255, the subtraction and the division.
func (n Normalization) table() []float32 {
	out := make([]float32, 0, kernels.NormPixelValues*data.Channels)
	for v := range kernels.NormPixelValues {
		for c := range data.Channels {
			scaled := float32(v) / 255
			centred := scaled - n.Mean[c]
			out = append(out, centred/n.Std[c])
		}
	}
	return out
}

// StepState is what changes from step to step, in device memory: counters, learning rate, and the ring of losses.
type StepState struct {
	dev                        kernels.Device
	slots                      int
	state, lr, losses, correct *Value
	host                       [kernels.StateLen]int64
}

// NewStepState takes memory for the losses of up to slots batches.
func NewStepState(dev kernels.Device, slots int) (*StepState, error) {
	st := &StepState{dev: dev, slots: max(slots, 1)}
	err := takeResidents(dev, kernels.FP32,
		residentSpec{&st.state, "state", kernels.Int64, []int{kernels.StateLen}}, residentSpec{&st.lr, "lr", kernels.Float64, []int{1}},
		residentSpec{&st.losses, "losses", kernels.Float64, []int{st.slots}}, residentSpec{&st.correct, "correct", kernels.Int32, []int{st.slots}})
	if err != nil {
		return nil, fmt.Errorf("step state: %w", err)
	}
	return st, nil
}

// Begin sets the counters: updates done so far, the slot of the next loss, the next sample of the order, epoch and seed.
func (st *StepState) Begin(step, slot, cursor, epoch int, seed uint64) error {
	st.host = [kernels.StateLen]int64{
		kernels.StateStep: int64(step), kernels.StateSlot: int64(slot), kernels.StateCursor: int64(cursor),
		kernels.StateEpoch: int64(epoch), kernels.StateSeed: int64(seed),
	}
	return kernels.Upload(st.dev, st.state.buffer, st.host[:])
}

// SetLR sets the learning rate of the updates that follow.
func (st *StepState) SetLR(lr float64) error {
	return kernels.Upload(st.dev, st.lr.buffer, []float64{lr})
}

// SetLosses restores the first losses and hit counts of the ring.
func (st *StepState) SetLosses(losses []float64, correct []int32) error {
	if err := kernels.Upload(st.dev, st.losses.buffer, losses); err != nil {
		return err
	}
	return kernels.Upload(st.dev, st.correct.buffer, correct)
}

// Losses reads the mean loss and the number of correct predictions of each of the first n batches.
func (st *StepState) Losses(n int) (losses []float64, correct []int32, err error) {
	losses, correct = make([]float64, n), make([]int32, n)
	if err := kernels.Download(st.dev, losses, st.losses.buffer); err != nil {
		return nil, nil, err
	}
	return losses, correct, kernels.Download(st.dev, correct, st.correct.buffer)
}

// Free gives the memory back.
func (st *StepState) Free() {
	for _, v := range []*Value{st.state, st.lr, st.losses, st.correct} {
		st.dev.Free(v.buffer)
	}
}

// NonFiniteError says that a loss was NaN or infinite: at that step nothing was updated, nor after it.
type NonFiniteError struct {
	Step int // updates done before it
}

func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("the loss of step %d is not finite: lower --lr, or look for NaN in the data; the last good state stands", e.Step+1)
}

// DeviceSet is a data set resident on a device.
type DeviceSet struct {
	N, H, W int

	dev                        kernels.Device
	images, labels, order, lut *Value
}

// NewDeviceSet uploads a set's images and labels.
func NewDeviceSet(dev kernels.Device, precision kernels.Precision, set *data.Set, norm Normalization) (*DeviceSet, error) {
	n := len(set.Labels)
	d := &DeviceSet{N: n, H: set.H, W: set.W, dev: dev}
	if n == 0 {
		return nil, fmt.Errorf("%s: no images", set.Name)
	}
	if d.H%8 != 0 || d.W%8 != 0 {
		return nil, fmt.Errorf("%s: images are %dx%d, the network's three strides of 2 want multiples of 8: resize them (folder: does, to --image-size 32)", set.Name, d.H, d.W)
	}
	err := takeResidents(dev, precision,
		residentSpec{&d.images, "images", kernels.Uint8, []int{n, d.H, d.W, data.Channels}}, residentSpec{&d.labels, "set_labels", kernels.Int32, []int{n}},
		residentSpec{&d.order, "order", kernels.Int32, []int{n}}, residentSpec{&d.lut, "lut", kernels.Real, []int{kernels.NormPixelValues, data.Channels}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", set.Name, err)
	}
	if err := dev.Upload(d.images.buffer, set.Images); err != nil {
		return nil, err
	}
	if err := kernels.Upload(dev, d.labels.buffer, set.Labels); err != nil {
		return nil, err
	}
	if err := upload(dev, d.lut.buffer, NewTensor("lut", norm.table()), precision); err != nil {
		return nil, err
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return d, d.SetOrder(order)
}

// SetOrder sets which samples the batches read: indices into the set, at most N.
func (d *DeviceSet) SetOrder(order []int) error {
	indices := make([]int32, len(order))
	for i, sample := range order {
		if sample < 0 || sample >= d.N {
			return fmt.Errorf("sample order: index %d of %d", sample, d.N)
		}
		indices[i] = int32(sample)
	}
	return kernels.Upload(d.dev, d.order.buffer, indices)
}

// Free gives the memory back.
func (d *DeviceSet) Free() {
	for _, v := range []*Value{d.images, d.labels, d.order, d.lut} {
		d.dev.Free(v.buffer)
	}
}
