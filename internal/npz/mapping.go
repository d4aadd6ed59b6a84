package npz

import (
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// heldBytes is how much is read of a mapping before its pages are given back: pages that stay mapped count as memory of the process.
const heldBytes = 1 << 25

// errShrunk is a fault in the mapping: the file no longer has the bytes that it had when it was opened.
var errShrunk = errors.New("the file was cut off while it was read: write it again and leave it alone meanwhile")

// mapping is a file's bytes mapped into memory, read-only.
type mapping struct {
	mutex sync.RWMutex // against close during a read
	bytes []byte       // nil when closed
	read  atomic.Int64 // bytes since pages were given back
}

// ReadAt copies from the mapping. A page that the file has lost in the meantime is an error, not the end of the process.
func (m *mapping) ReadAt(p []byte, at int64) (n int, err error) {
	m.mutex.RLock()
	defer m.mutex.RUnlock()
	if m.bytes == nil {
		return 0, os.ErrClosed
	}
	if at < 0 || at >= int64(len(m.bytes)) {
		return 0, io.EOF
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			n, err = 0, errShrunk
		default:
			panic(fault)
		}
	}()
	n = copy(p, m.bytes[at:])
	if n < len(p) {
		err = io.EOF
	}
	if m.read.Add(int64(n)) >= heldBytes {
		m.read.Store(0)
		forget(m.bytes)
	}
	return n, err
}

// close unmaps; a nil mapping is closed already.
func (m *mapping) close() error {
	if m == nil {
		return nil
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	bytes := m.bytes
	m.bytes = nil
	if bytes == nil {
		return nil
	}
	return unmap(bytes)
}
