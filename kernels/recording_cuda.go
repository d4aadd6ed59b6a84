//go:build cuda

package kernels

import (
	"errors"
	"time"

	"nctrain/cudart"
	"nctrain/kernels/cuda"
)

// cudaRecording is a captured graph, and the calls that it was made of.
type cudaRecording struct {
	dev   *cudaDevice
	calls []cuda.Work
	graph *cudart.Graph
}

// Capture first collects the calls, which loads their kernels (a driver that loads them lazily may not do so while a stream is captured), then queues them on a
// stream that is captured.
func (d *cudaDevice) Capture(body func() error) (Recording, error) {
	if d.capturing != nil {
		return nil, errors.New("cuda device: capture inside a capture")
	}
	r := &cudaRecording{dev: d}
	d.capturing = r
	err := body()
	d.capturing = nil
	if err != nil {
		return nil, err
	}
	r.graph, err = d.stream.Capture(func() error {
		for _, call := range r.calls {
			if err := call.Launch(d.stream); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.captured[r] = true
	return r, nil
}

func (r *cudaRecording) Replay() error { return r.graph.Replay() }
func (r *cudaRecording) Len() int      { return len(r.calls) }

func (r *cudaRecording) Close() error {
	delete(r.dev.captured, r)
	return r.graph.Close()
}

// Profile launches each call between two events.
func (r *cudaRecording) Profile(durations []time.Duration) (err error) {
	var begin, end *cudart.Event
	if begin, err = r.dev.device.NewEvent(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, begin.Close()) }()
	if end, err = r.dev.device.NewEvent(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end.Close()) }()
	for i, call := range r.calls {
		if err := errors.Join(begin.Record(r.dev.stream), call.Launch(r.dev.stream), end.Record(r.dev.stream), end.Synchronize()); err != nil {
			return err
		}
		if durations[i], err = end.Since(begin); err != nil {
			return err
		}
	}
	return nil
}
