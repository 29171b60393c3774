package main

import (
	"runtime"
	"time"
	"unsafe"

	"victims/internal/truth"
)

// The debug information says since 1.23 what a closure has captured; before, its structure does.
var capturedBuf = []string{"buf"}

func (it *item) size() int { return len(it.buf) }

var (
	bound      func() int
	byValue    func() int
	byRef      func() int
	twice      func() func() int
	methods    []func() int
	afterTimer *time.Timer
	watched    *item
	forgotten  *item // for a moment
	plain      = func() int { return 1 }
)

//go:noinline
func holdInClosures() {
	it := newItem(1)
	bound = it.size
	truth.Why(it.data(), "main.bound", "buf")

	data := make([]byte, 3000)
	byValue = func() int { return len(data) + int(data[0]) }
	truth.Why(unsafe.Pointer(&data[0]), "main.byValue")

	changed := newItem(2)
	byRef = func() int { changed = newItem(3); return changed.n }
	byRef()
	truth.Why(changed.data(), "main.byRef", capturedBuf...)

	deep := newItem(4)
	twice = func() func() int { return func() int { return deep.n } }
	truth.Why(deep.data(), "main.twice", capturedBuf...)

	other := newItem(5)
	methods = []func() int{plain, other.size}
	truth.Why(other.data(), "main.methods", "[1]", "buf")

	late := newItem(6)
	afterTimer = time.AfterFunc(time.Hour, func() { late.n++ })
	truth.Why(late.data(), "main.afterTimer", capturedBuf...)
	lost := newItem(7)
	time.AfterFunc(2*time.Hour, func() { lost.n++ }) // the runtime's timers alone hold it
	truth.Live(lost.data())

	watched = newItem(8)
	log := newItem(9)
	runtime.SetFinalizer(watched, func(w *item) { log.n += w.n })
	truth.WhyKind(log.data(), "finalizer", "main.item", capturedBuf...)
}

// dropped leaves, with the collector off, objects that nothing holds; and one that waits for its finalizer, which holds
// what it points to, but not itself.
//
//go:noinline
func dropped() {
	forgotten = newItem(1)
	truth.Garbage(unsafe.Pointer(forgotten))
	truth.Garbage(forgotten.data())
	forgotten = newItem(2)
	runtime.SetFinalizer(forgotten, func(w *item) { w.n++ })
	truth.Garbage(unsafe.Pointer(forgotten))
	truth.Live(forgotten.data())
	forgotten = nil
	clearStack()
}

// clearStack overwrites what dropped left on the stack.
//
//go:noinline
func clearStack() {
	var words [64]uintptr
	for i := range words {
		words[i] = uintptr(i)
	}
	runtime.KeepAlive(&words)
}
