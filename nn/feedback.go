package nn

import "nctrain/kernels"

// askEvery is how many steps go by from one look at the losses to the next: a loss that is not finite stops the updates on the device, so that the host may learn of
// it later.
const askEvery = 16

// feedback looks at a step state while steps go on: counters, losses and hits are copied to the host behind a step, and read when they have arrived.
type feedback struct {
	st           *StepState
	looks        [2]look // in turn
	asked, taken int     // looks so far
}

// look is one copy of the counters, losses and hits.
type look struct {
	kernels.Readback
	batches int // done when it was asked for
}

// news is what a look saw: the losses and hits of so many batches, good until it is asked for again.
type news struct {
	batches int
	losses  []float64
	correct []int32
}

func newFeedback(st *StepState) (*feedback, error) {
	f := &feedback{st: st}
	for i := range f.looks {
		var err error
		if f.looks[i].Readback, err = st.dev.NewReadback(st.state.buffer, st.losses.buffer, st.correct.buffer); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// full: as many looks are under way as there can be.
func (f *feedback) full() bool { return f.asked-f.taken == len(f.looks) }

// ask queues a look behind the steps so far, which did so many batches of the epoch. Not where all are under way.
func (f *feedback) ask(batches int) error {
	l := &f.looks[f.asked%len(f.looks)]
	f.asked++
	l.batches = batches
	return l.Queue()
}

// take gives the oldest look under way: nil where there is none, or where it has not arrived and is not to be waited for; a [NonFiniteError] where it saw a loss that
// is not finite.
func (f *feedback) take(wait bool) (*news, error) {
	if f.taken == f.asked {
		return nil, nil
	}
	l := &f.looks[f.taken%len(f.looks)]
	if ready, err := l.Ready(); err != nil || !ready && !wait {
		return nil, err
	}
	if err := l.Wait(); err != nil {
		return nil, err
	}
	f.taken++
	copy(f.st.host[:], kernels.Read[int64](l, 0))
	if s := f.st.host[kernels.StateNonFinite]; s != 0 {
		return nil, &NonFiniteError{Step: int(s - 1)}
	}
	return &news{l.batches, kernels.Read[float64](l, 1)[:l.batches], kernels.Read[int32](l, 2)[:l.batches]}, nil
}

// forget drops the looks under way, which are of an epoch that was left.
func (f *feedback) forget() { f.taken = f.asked }
