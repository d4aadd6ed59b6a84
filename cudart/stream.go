//go:build cuda

package cudart

import (
	"errors"
	"fmt"
	"time"

	"gorgonia.org/cu"
)

// Stream is a queue of work: what it holds runs in order.
type Stream struct {
	device *Device
	stream cu.Stream
}

// NewStream makes a stream that does not wait for the default one.
func (d *Device) NewStream() (*Stream, error) {
	s := &Stream{device: d}
	err := d.named("make a stream", func() (err error) {
		s.stream, err = cu.MakeStream(cu.NonBlocking)
		return err
	})
	return s, err
}

// Synchronize waits for what the stream holds, and returns the first error of what ran.
func (s *Stream) Synchronize() error {
	return s.device.named("synchronize a stream", s.stream.Synchronize)
}

// Close drops the stream; what it holds still runs.
func (s *Stream) Close() error { return s.device.named("close a stream", s.stream.Destroy) }

// Fill queues setting bytes of device memory to one value.
func (s *Stream) Fill(to Address, value byte, bytes int) error {
	return s.device.named(fmt.Sprintf("fill %d bytes", bytes), func() error {
		return cu.MemsetD8Async(cu.DevicePtr(to), value, int64(bytes), s.stream)
	})
}

// Upload queues a copy of the pinned memory's first bytes to the device; Download one from it. Until an event behind the copy is reached, or the stream is
// synchronized, the memory is the copy's: it must stay as it is, and a download's holds nothing yet.
func (s *Stream) Upload(to Address, from *Pinned, bytes int) error {
	return s.device.named(fmt.Sprintf("queue an upload of %d bytes", bytes), func() error {
		return cu.MemcpyHtoDAsync(cu.DevicePtr(to), from.part(bytes), int64(bytes), s.stream)
	})
}

func (s *Stream) Download(to *Pinned, from Address, bytes int) error {
	return s.device.named(fmt.Sprintf("queue a download of %d bytes", bytes), func() error {
		return cu.MemcpyDtoHAsync(to.part(bytes), cu.DevicePtr(from), int64(bytes), s.stream)
	})
}

// Event is a point in a stream.
type Event struct {
	device *Device
	event  cu.Event
}

// NewEvent makes an event that takes the time.
func (d *Device) NewEvent() (*Event, error) {
	e := &Event{device: d}
	err := d.named("make an event", func() (err error) {
		e.event, err = cu.MakeEvent(cu.DefaultEvent)
		return err
	})
	return e, err
}

// Record queues the event.
func (e *Event) Record(s *Stream) error {
	return e.device.named("record an event", func() error { return e.event.Record(s.stream) })
}

// Done tells without waiting whether the event is reached. Its error is the first of what ran before it.
func (e *Event) Done() (bool, error) {
	err := e.device.named("ask for an event", e.event.Query)
	if errors.Is(err, notReady) {
		return false, nil
	}
	return err == nil, err
}

// Synchronize waits until the event is reached.
func (e *Event) Synchronize() error { return e.device.named("wait for an event", e.event.Synchronize) }

// Since is the device's time between two events that were reached.
func (e *Event) Since(start *Event) (time.Duration, error) {
	var ms float64
	err := e.device.named("time between events", func() (err error) {
		ms, err = start.event.Elapsed(e.event)
		return err
	})
	return time.Duration(ms * float64(time.Millisecond)), err
}

// Close drops the event.
func (e *Event) Close() error {
	return e.device.named("close an event", func() error { return cu.DestroyEvent(&e.event) })
}

// Graph is captured work that is queued as one.
type Graph struct {
	device *Device
	exec   graphExec
	nodes  int
	replay func() error // made once, so that a replay allocates nothing
}

// Capture records what body queues on the stream; nothing runs. Where body fails nothing is kept.
func (s *Stream) Capture(body func() error) (*Graph, error) {
	d := s.device
	if err := d.named("begin a capture", func() error { return beginCapture(s.stream) }); err != nil {
		return nil, err
	}
	if err := body(); err != nil {
		_ = d.do(func() error { abandonCapture(s.stream); return nil })
		return nil, err
	}
	g := &Graph{device: d}
	if err := d.named("end a capture", func() (err error) {
		g.exec, g.nodes, err = endCapture(s.stream)
		return err
	}); err != nil {
		return nil, err
	}
	g.replay = func() error { return launchGraph(g.exec, s.stream) }
	return g, nil
}

// Len is the number of captured pieces of work.
func (g *Graph) Len() int { return g.nodes }

// Replay queues all of it on the stream that it was captured from.
func (g *Graph) Replay() error { return g.device.named("replay a graph", g.replay) }

// Close drops the graph.
func (g *Graph) Close() error {
	return g.device.named("close a graph", func() error { return destroyGraph(g.exec) })
}
