//go:build cuda

package kernels

import (
	"errors"

	"nctrain/cudart"
)

// cudaReadback copies into pinned memory on the device's stream, with an event behind the copies.
type cudaReadback struct {
	dev      *cudaDevice
	from     []Buffer
	host     []*cudart.Pinned
	end      *cudart.Event
	underWay bool
}

func (d *cudaDevice) NewReadback(from ...Buffer) (_ Readback, err error) {
	r := &cudaReadback{dev: d, from: from}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	for _, b := range from {
		p, err := d.device.NewPinned(b.bytes)
		if err != nil {
			return nil, err
		}
		r.host = append(r.host, p)
	}
	r.end, err = d.device.NewEvent()
	return r, err
}

func (r *cudaReadback) Queue() error {
	if r.dev.capturing != nil {
		return errCapturingCUDA
	}
	if err := r.Wait(); err != nil {
		return err
	}
	if err := r.queue(); err != nil {
		_ = r.dev.stream.Synchronize() // for the copies that were queued, whose end no event tells; if it fails, then as they did
		return err
	}
	r.underWay = true
	return nil
}

// queue queues the copies and then the event.
func (r *cudaReadback) queue() error {
	for i, p := range r.host {
		if err := r.dev.stream.Download(p, cudart.Address(r.from[i].addr), r.from[i].bytes); err != nil {
			return err
		}
	}
	return r.end.Record(r.dev.stream)
}

func (r *cudaReadback) Ready() (bool, error) {
	if !r.underWay {
		return true, nil
	}
	done, err := r.end.Done()
	r.underWay = !done
	return done, err
}

func (r *cudaReadback) Wait() error {
	if !r.underWay {
		return nil
	}
	err := r.end.Synchronize()
	r.underWay = err != nil
	return err
}

func (r *cudaReadback) Bytes(i int) []byte {
	if r.underWay {
		panic("kernels: a readback is looked at before its copies are made")
	}
	return r.host[i].Bytes()
}

func (r *cudaReadback) Close() error {
	err := r.Wait()
	if r.end != nil {
		err = errors.Join(err, r.end.Close())
	}
	for _, p := range r.host {
		err = errors.Join(err, p.Close())
	}
	return err
}
