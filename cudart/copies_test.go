//go:build cuda

package cudart_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"nctrain/cudart"
)

// A download's memory is poison until the host has learnt of the copy's end, by whatever tells it; an upload's must not change until then; neither may be freed.
func TestCopiesLandLate(t *testing.T) {
	m := open(t)
	if !m.Capabilities().Emulated {
		t.Skip("the driver is a real one: only the emulated one lands copies as late as it may")
	}
	if os.Getenv("NCTRAIN_EMU_COPIES") == "early" {
		t.Skip("NCTRAIN_EMU_COPIES=early")
	}
	at := m.vector(t, 0, []float32{1, 2})
	p, err := m.NewPinned(8)
	must(t, err)
	landed := func() bool { return slices.Equal(p.Bytes(), raw([]float32{1, 2})) }
	e, err := m.NewEvent()
	must(t, err)
	ask := func() {
		t.Helper()
		copy(p.Bytes(), raw([]float32{5, 6}))
		must(t, errors.Join(m.stream.Download(p, at, 8), e.Record(m.stream)))
		if landed() || slices.Equal(p.Bytes(), raw([]float32{5, 6})) {
			t.Errorf("under way the memory holds %v", p.Bytes())
		}
	}
	ask()
	for asked := 1; ; asked++ {
		done, err := e.Done()
		must(t, err)
		if done != landed() {
			t.Fatalf("done: %v, landed: %v", done, landed())
		}
		if done {
			if asked < 2 {
				t.Error("the event was reached at once")
			}
			break
		}
	}
	for name, wait := range map[string]func() error{"event": e.Synchronize, "stream": m.stream.Synchronize, "device": m.Synchronize} {
		ask()
		must(t, wait())
		if !landed() {
			t.Errorf("the copy has not landed after the %s was waited for", name)
		}
	}

	q, err := m.NewPinned(4)
	must(t, err)
	ask()
	must(t, m.stream.Download(q, at, 4)) // behind the event
	must(t, e.Synchronize())
	if !landed() || slices.Equal(q.Bytes(), p.Bytes()[:4]) {
		t.Error("a copy behind the event has landed with it")
	}
	must(t, m.stream.Synchronize())

	ask()
	if err := p.Close(); err == nil {
		t.Error("memory of a copy under way was freed")
	}
	p.Bytes()[0] = 1
	if err := e.Synchronize(); err == nil || !strings.Contains(err.Error(), "wrote to the memory of a download") {
		t.Errorf("the host wrote to a download's memory: %v", err)
	}
	cudart.ForgetFault()
	must(t, m.stream.Upload(at, p, 8))
	p.Bytes()[0]++
	if err := m.stream.Synchronize(); err == nil || !strings.Contains(err.Error(), "changed the memory of an upload") {
		t.Errorf("the host changed an upload's memory: %v", err)
	}
	cudart.ForgetFault()
	must(t, errors.Join(p.Close(), q.Close(), e.Close()))
}
