// patched: a sync.Pool whose constructor is replaced while two goroutines use it and the collector never rests. Every
// 10 ms it says what the pool gave it; an object that neither constructor made whole ends it.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"victims/internal/truth"
)

type buffer struct {
	data []byte
	from string
}

//go:noinline
func newWasteful() any { return &buffer{data: make([]byte, 64<<10), from: "wasteful"} }

//go:noinline
func newFrugal() any { return &buffer{data: make([]byte, 256), from: "frugal"} }

// sized makes a constructor that the program allocates: it holds n.
//
//go:noinline
func sized(n int) func() any {
	return func() any { return &buffer{data: make([]byte, n), from: "sized"} }
}

var (
	pool     = sync.Pool{New: newWasteful}
	closures = sync.Pool{New: sized(4 << 10)}
	keep     = []func() any{newWasteful, newFrugal}
	used     atomic.Int64
)

var sizes = map[string]int{"wasteful": 64 << 10, "frugal": 256, "sized": 4 << 10}

func use(p *sync.Pool) *buffer {
	b := p.Get().(*buffer)
	if len(b.data) != sizes[b.from] && (b.from != "sized" || len(b.data) != 512) {
		panic("a buffer of " + b.from)
	}
	used.Add(1)
	return b
}

func value(f func() any) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&f)) }

func place(name string, at unsafe.Pointer) {
	truth.Say("place", truth.Keys{"name": name, "addr": truth.At(at)})
}

func main() {
	go truth.Beat()
	place("slot", unsafe.Pointer(&pool.New))
	place("closure_slot", unsafe.Pointer(&closures.New))
	place("closure", value(closures.New))
	place("closure_code", *(*unsafe.Pointer)(value(closures.New)))
	place("frugal_code", *(*unsafe.Pointer)(value(newFrugal)))
	place("ctor_wasteful", value(newWasteful))
	place("ctor_frugal", value(newFrugal))
	go func() {
		for {
			runtime.GC()
		}
	}()
	for i := 0; i < 2; i++ {
		go func() {
			for {
				use(&pool)
				use(&closures)
			}
		}()
	}
	truth.Ready()
	for {
		c := use(&closures)
		truth.Say("got", truth.Keys{"from": use(&pool).from, "closure": c.from, "size": len(c.data)})
		runtime.KeepAlive(keep)
		time.Sleep(10 * time.Millisecond)
	}
}
