// thunked: pools whose constructors are replaced by code that the program does not have, under all that looks at stacks:
// the collector without a rest, stacks that grow and shrink, profiles of processor time, heap, locks and blocks, traces,
// runtime.Stack, panics that are recovered, finalizers. Every 10 ms it says what the pools gave it; an object that is
// neither a zero value nor whole ends it.
package main

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"victims/internal/truth"
)

type buffer struct {
	data []byte
	next *buffer
	from string
	sum  [9]uint64
}

type small struct{ a, b uint32 }

type empty struct{}

//go:noinline
func newBuffer() any { return &buffer{data: make([]byte, 4096), from: "wasteful"} }

//go:noinline
func newOther() any { return &buffer{data: make([]byte, 256), from: "frugal"} }

//go:noinline
func newSmall() any { return &small{1, 2} }

//go:noinline
func newEmpty() any { return &empty{} }

var (
	pool    = sync.Pool{New: newBuffer}
	smalls  = sync.Pool{New: newSmall}
	empties = sync.Pool{New: newEmpty}
	used    atomic.Int64
	stacks  atomic.Int64
	named   atomic.Int64 // stacks that had the name of code that was made
	lock    sync.Mutex
	sink    [64]*buffer
	keep    = []func() any{newOther}
)

func check(b *buffer) *buffer {
	switch {
	case b.from == "wasteful" && len(b.data) == 4096, b.from == "frugal" && len(b.data) == 256:
	case b.from == "" && b.data == nil && b.next == nil && b.sum == [9]uint64{}:
	default:
		panic("a buffer of " + b.from)
	}
	used.Add(1)
	return b
}

func get() *buffer { return check(pool.Get().(*buffer)) }

// getSmall: 1 is what newSmall makes, 0 a zero value.
func getSmall() uint32 {
	s := smalls.Get().(*small)
	if s.a != 0 && s.a != 1 {
		panic("a small")
	}
	if empties.Get().(*empty) == nil {
		panic("an empty")
	}
	return s.a
}

// deep calls Get at every depth of a stack that grows: where the stack ends is another depth each time.
//
//go:noinline
func deep(n int, pad [5]uint64) uint64 {
	b := get()
	b.sum[n%9] = pad[n%5]
	if n == 0 {
		return uint64(getSmall())
	}
	got := deep(n-1, [5]uint64{pad[4], pad[0], pad[1], pad[2], b.sum[n%9]})
	if b.sum[n%9] != pad[n%5] {
		panic("a buffer was used twice")
	}
	return got
}

func grow(i int) {
	for ; ; i++ {
		done := make(chan bool)
		go func(i int) {
			deep(i%97, [5]uint64{1, 2, 3, 4, uint64(i)})
			close(done)
		}(i)
		<-done
	}
}

// link keeps what the pool gives alive for a while, through pointers in it.
func link(slot int) {
	for i := 0; ; i++ {
		b := get()
		b.next = sink[slot]
		lock.Lock()
		sink[slot] = b
		lock.Unlock()
		if i%200 == 0 {
			n := 0
			for b := sink[slot]; b != nil; b = b.next {
				n++
			}
			if n > 200 {
				panic("a list that is too long")
			}
			sink[slot] = nil
		}
	}
}

func fail() {
	defer func() { recover() }()
	b := get()
	runtime.SetFinalizer(b, func(*buffer) { used.Add(1) })
	panic(b)
}

// look takes stacks of all goroutines, which are inside of constructors now and then.
func look() {
	text := make([]byte, 1<<20)
	for {
		n := runtime.Stack(text, true)
		stacks.Add(1)
		if bytes.Contains(text[:n], []byte("holdfast.new[")) {
			named.Add(1)
		}
		fail()
		time.Sleep(time.Millisecond)
	}
}

func profile() {
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	for {
		if pprof.StartCPUProfile(io.Discard) == nil {
			time.Sleep(200 * time.Millisecond)
			pprof.StopCPUProfile()
		}
		if trace.Start(io.Discard) == nil {
			time.Sleep(20 * time.Millisecond)
			trace.Stop()
		}
		for _, name := range []string{"goroutine", "heap", "mutex", "block", "threadcreate"} {
			pprof.Lookup(name).WriteTo(io.Discard, 0)
			pprof.Lookup(name).WriteTo(io.Discard, 1)
		}
	}
}

func collect() {
	for {
		runtime.GC()
	}
}

func value(f func() any) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&f)) }

func place(name string, at unsafe.Pointer) {
	truth.Say("place", truth.Keys{"name": name, "addr": truth.At(at)})
}

func main() {
	go truth.Beat()
	place("slot", unsafe.Pointer(&pool.New))
	place("small_slot", unsafe.Pointer(&smalls.New))
	place("ctor_wasteful", value(newBuffer))
	if len(os.Args) < 2 || os.Args[1] != "calm" {
		runtime.MemProfileRate = 512
		debug.SetGCPercent(1)
		go collect()
		go profile()
		go look()
		for i := 0; i < 2; i++ {
			go grow(i)
			go link(i)
		}
	}
	truth.Ready()
	for {
		b := get()
		if b.from == "" {
			b.from = "zero"
		}
		truth.Say("got", truth.Keys{"from": b.from, "small": getSmall(), "used": used.Load(),
			"stacks": stacks.Load(), "named": named.Load()})
		runtime.KeepAlive(keep)
		time.Sleep(10 * time.Millisecond)
	}
}
