package nn

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"nctrain/kernels"
)

// slowDevice is a device whose readbacks arrive so many questions after they were asked for, or when they are waited for, and that notes what stops it.
type slowDevice struct {
	kernels.Device
	questions int
	started   int // replays so far: what is in the queue of a real device
	stops     []stop
}

// stop is a wait of the host for what was queued `behind` replays ago.
type stop struct{ at, behind int }

type slowReadback struct {
	kernels.Readback
	dev         *slowDevice
	asked, left int
}

func (d *slowDevice) NewReadback(from ...kernels.Buffer) (kernels.Readback, error) {
	r, err := d.Device.NewReadback(from...)
	return &slowReadback{Readback: r, dev: d}, err
}

func (r *slowReadback) Queue() error {
	r.asked, r.left = r.dev.started, r.dev.questions
	return r.Readback.Queue()
}

func (r *slowReadback) Ready() (bool, error) {
	r.left = max(r.left-1, 0)
	return r.left == 0, nil
}

func (r *slowReadback) Wait() error {
	if r.left > 0 {
		r.dev.stops = append(r.dev.stops, stop{r.dev.started, r.dev.started - r.asked})
	}
	r.left = 0
	return nil
}

func (r *slowReadback) Bytes(i int) []byte {
	if r.left > 0 {
		panic("nn: a readback is looked at before it arrived")
	}
	return r.Readback.Bytes(i)
}

func (d *slowDevice) Capture(body func() error) (kernels.Recording, error) {
	r, err := d.Device.Capture(body)
	return &countedRecording{r, d}, err
}

type countedRecording struct {
	kernels.Recording
	dev *slowDevice
}

func (r *countedRecording) Replay() error {
	r.dev.started++
	return r.Recording.Replay()
}

func (d *slowDevice) Synchronize() error {
	d.stops = append(d.stops, stop{d.started, 0})
	return d.Device.Synchronize()
}

func (d *slowDevice) Download(dst []byte, src kernels.Buffer) error {
	d.stops = append(d.stops, stop{d.started, 0})
	return d.Device.Download(dst, src)
}

// feedbackTrainer trains 80 steps an epoch, of 3 images each, on a device that answers late.
func feedbackTrainer(t *testing.T, questions int, lr float64) (*Trainer, *slowDevice) {
	t.Helper()
	dev := &slowDevice{Device: openDevice(t, 1), questions: questions}
	set := goldenSet()
	set.H, set.W = 8, 8 // sixteen images of what was one
	set.Labels = set.Labels[:0]
	for i := range 240 {
		set.Labels = append(set.Labels, int32(i%goldenClasses))
	}
	set.Images = set.Images[:len(set.Labels)*8*8*3]
	s := testSettings()
	s.BatchSize, s.LR = 3, lr
	tr, err := NewTrainer(dev, placed(t, dev, kernels.FP32, goldenClasses, 1), set, s, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return tr, dev
}

// However late a device answers, the losses of an epoch are the same; it is stopped at the epoch's end alone, and where the host waits before, the device has
// steps left to do; the reports are of ever more batches, and of all last.
func TestLossesComeBackWithoutStopping(t *testing.T) {
	var want Epoch
	for _, questions := range []int{0, 2, 20, 1000} {
		tr, dev := feedbackTrainer(t, questions, 0.01)
		dev.stops = nil
		var reported []int
		var losses []float64
		line, err := tr.RunEpoch(context.Background(), func(batches int, loss float64) {
			reported = append(reported, batches)
			losses = append(losses, loss)
		})
		if err != nil {
			t.Fatal(err)
		}
		if questions == 0 {
			want = line
		} else if !reflect.DeepEqual(line, want) {
			t.Errorf("%d questions: another line of history: %+v", questions, line)
		}
		if !slices.Equal(reported, []int{16, 32, 48, 64, 80}) {
			t.Errorf("%d questions: reports after %v batches", questions, reported)
		}
		for i, batches := range reported {
			if losses[i] != mean(line.BatchLosses[:batches]) {
				t.Errorf("%d questions: a mean loss of %v after %d batches", questions, losses[i], batches)
			}
		}
		for _, s := range dev.stops {
			if s.at < 80 && s.behind < askEvery {
				t.Errorf("%d questions: after step %d the host waited for what was queued %d steps before", questions, s.at, s.behind)
			}
		}
		if waits := len(dev.stops) > 0; waits != (questions > 0) {
			t.Errorf("%d questions: stops %v", questions, dev.stops)
		}
	}
}

// A loss that is not finite is found late on such a device, and stands for the same step.
func TestNonFiniteLossIsFoundLate(t *testing.T) {
	steps := map[int]int{}
	for _, questions := range []int{0, 20, 1000} {
		tr, dev := feedbackTrainer(t, questions, 1e6)
		_, err := tr.RunEpoch(context.Background(), nil)
		var bad *NonFiniteError
		if !errors.As(err, &bad) {
			t.Fatalf("%d questions: error %v, want a loss that is not finite", questions, err)
		}
		steps[questions] = bad.Step
		if dev.started > bad.Step+1+3*askEvery {
			t.Errorf("%d questions: %d steps after the loss of step %d was not finite", questions, dev.started, bad.Step)
		}
	}
	if steps[20] != steps[0] || steps[1000] != steps[0] {
		t.Errorf("other steps of the first bad loss: %v", steps)
	}
}

// Check is a [NonFiniteError] where a loss was not finite.
func (st *StepState) Check() error {
	f, err := newFeedback(st)
	if err != nil {
		return err
	}
	if err := f.ask(0); err != nil {
		return err
	}
	_, err = f.take(true)
	return err
}
