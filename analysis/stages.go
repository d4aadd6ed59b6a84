package analysis

import (
	"context"
	"errors"
	"sync"

	"nctrain/internal/blas"
)

// WorkRows is the number of rows that one goroutine works on at once where nothing else asks for a size: at 512 features most of a MB of float64, which stays in the cache of
// its core from one step to the next, and so few that no thread waits long for the others at the end of a sweep.
const WorkRows = 192

// Stages is what is done to each block of a sweep: First and Then see the blocks in order and one at a time, Work sees several at once. What is summed in Then does not
// depend on the number of threads.
type Stages[T any] struct {
	// InParts: the stages see features and logits by Block.Parts alone, so that a source in memory need not have more of them converted than stay in the cache.
	InParts bool
	// First sees a block before Work does; may be nil.
	First func(*Block) error
	// Work is the bulk of it, done by one goroutine a block.
	Work func(*Block) (T, error)
	// Then sees the block again, and what Work made of it.
	Then func(*Block, T) error
}

// Sweep puts src through the stages in blocks of exactly size rows (the last may be shorter), whatever blocks src itself makes, on up to threads goroutines (0:
// one a processor). The error is that of the first block with one, as if the blocks had been worked on one after the other; what Then has seen are the blocks before it.
func (s Stages[T]) Sweep(ctx context.Context, src Source, size, threads int) error {
	if threads <= 0 {
		threads = blas.Threads()
	}
	n := src.Info().N
	if threads = min(threads, (n+size-1)/size); threads <= 1 {
		return SweepBlocks(ctx, src, size, func(b *Block) error {
			if s.First != nil {
				if err := s.First(b); err != nil {
					return err
				}
			}
			made, err := s.Work(b)
			if err != nil {
				return err
			}
			return s.Then(b, made)
		})
	}
	l := &line[T]{then: s.Then, waiting: map[int]worked[T]{}, free: make(chan *Block, threads+1)}
	for range cap(l.free) {
		l.free <- blocks.Get().(*Block)
	}
	defer func() {
		for range cap(l.free) {
			(<-l.free).giveBack()
		}
	}()
	if r := resident(src); r != nil {
		s.pull(ctx, r, n, size, threads, l)
	} else {
		s.push(ctx, src, size, threads, l)
	}
	if l.err != nil {
		return l.err
	}
	return ctx.Err()
}

// blocks are kept from sweep to sweep.
var blocks = sync.Pool{New: func() any { return new(Block) }}

func (b *Block) giveBack() {
	if !b.borrowed {
		b.Labels, b.unread = nil, nil // the source's own, or of no size
		blocks.Put(b)
	}
}

// pull has each goroutine read the blocks that it works on.
func (s Stages[T]) pull(ctx context.Context, r blockReader, n, size, threads int, l *line[T]) {
	var claim sync.Mutex
	next := 0
	var wait sync.WaitGroup
	for range threads {
		wait.Go(func() {
			for {
				b := <-l.free
				claim.Lock()
				i := next
				if i*size >= n || l.failed() || ctx.Err() != nil {
					claim.Unlock()
					l.free <- b
					return
				}
				next++
				read := func() {
					if to := min((i+1)*size, n); s.InParts {
						*b = Block{Start: i * size, N: to - i*size, Labels: r.labelsOf(i*size, to), unread: r}
					} else {
						r.readBlock(b, i*size, to)
					}
				}
				var err error
				if s.First != nil {
					read()
					err = s.First(b)
				}
				claim.Unlock()
				if s.First == nil {
					read()
				}
				s.work(i, b, err, l)
			}
		})
	}
	wait.Wait()
}

// push has one goroutine read ahead of those that work.
func (s Stages[T]) push(ctx context.Context, src Source, size, threads int, l *line[T]) {
	type job struct {
		i   int
		b   *Block
		err error
	}
	jobs := make(chan job)
	go func() {
		defer close(jobs)
		stop := errors.New("no more blocks are wanted")
		i := 0
		err := SweepBlocks(ctx, src, size, func(b *Block) error {
			held := <-l.free
			if l.failed() {
				l.free <- held
				return stop
			}
			held.copyFrom(b)
			next := job{i: i, b: held}
			if s.First != nil {
				next.err = s.First(held)
			}
			i++
			jobs <- next
			if next.err != nil {
				return stop
			}
			return nil
		})
		if err != nil && !errors.Is(err, stop) {
			jobs <- job{i, <-l.free, err}
		}
	}()
	var wait sync.WaitGroup
	for range threads {
		wait.Go(func() {
			for j := range jobs {
				s.work(j.i, j.b, j.err, l)
			}
		})
	}
	wait.Wait()
}

func (s Stages[T]) work(i int, b *Block, err error, l *line[T]) {
	var made T
	if err == nil {
		made, err = s.Work(b)
	}
	l.put(i, worked[T]{b, made, err})
}

// line brings worked blocks back into order. There are as many blocks as free holds, so that one that takes long does not make the others pile up.
type line[T any] struct {
	then func(*Block, T) error
	free chan *Block

	mutex   sync.Mutex
	next    int
	waiting map[int]worked[T]
	err     error // of block next; nothing is done after it
}

type worked[T any] struct {
	b    *Block
	made T
	err  error
}

func (l *line[T]) failed() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.err != nil
}

// put hands in block i, and does what can be done in order now.
func (l *line[T]) put(i int, w worked[T]) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.waiting[i] = w
	for {
		w, there := l.waiting[l.next]
		if !there {
			break
		}
		delete(l.waiting, l.next)
		if l.err == nil {
			if l.err = w.err; l.err == nil {
				l.err = l.then(w.b, w.made)
			}
		}
		l.next++
		l.free <- w.b
	}
}

// blockReader is a source whose rows can be had in any order, by several goroutines at once.
type blockReader interface {
	// readBlock makes b rows from..to-1.
	readBlock(b *Block, from, to int)
	// labelsOf gives the labels of those.
	labelsOf(from, to int) []int64
}

// resident gives src as rows in memory, nil where it is not. A source around another one tells of it by Unwrap.
func resident(src Source) blockReader {
	switch s := src.(type) {
	case blockReader:
		return s
	case interface{ Unwrap() Source }:
		return resident(s.Unwrap())
	}
	return nil
}

// copyFrom makes b a copy of another block, in its own memory.
func (b *Block) copyFrom(other *Block) {
	b.Start, b.N = other.Start, other.N
	b.Features = append(b.Features[:0], other.Features...)
	b.Logits = append(b.Logits[:0], other.Logits...)
	if other.Logits == nil {
		b.Logits = nil
	}
	b.Labels = append(b.Labels[:0], other.Labels...)
}
