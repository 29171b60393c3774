// holds: ways in which Go code holds an object, each with the root and the path that an analyser must name.
package main

import (
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"victims/internal/truth"
)

// An item is what is held: buf is the object that is asked about.
type item struct {
	n   int
	buf []byte
}

//go:noinline
func newItem(n int) *item { return &item{n: n, buf: make([]byte, 2000+n)} }

func (it *item) data() unsafe.Pointer { return unsafe.Pointer(&it.buf[0]) }

// more is filled by files for later releases.
var more []func()

var stop atomic.Bool

//go:noinline
func spin(it *item) {
	for !stop.Load() {
		it.n++
	}
	it.buf[0]++
}

//go:noinline
func startSpinning() {
	it := newItem(1)
	truth.Why(it.data(), "main.spin")
	go spin(it)
}

func main() {
	holdInMaps()
	holdInData()
	holdInClosures()
	holdInLibrary()
	holdInGoroutines()
	for _, hold := range more {
		hold()
	}
	if len(os.Args) > 1 && os.Args[1] == "spin" {
		startSpinning()
	}
	time.Sleep(50 * time.Millisecond)
	truth.Settle()
	dropped()
	truth.Ready()
	truth.Beat()
}
