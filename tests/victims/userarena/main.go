//go:build goexperiment.arenas

// userarena: objects in memory that the program frees itself (GOEXPERIMENT=arenas).
package main

import (
	"arena"
	"time"
	"unsafe"

	"victims/internal/truth"
)

type item struct {
	n    int
	buf  []byte
	next *item
}

var (
	kept  *item
	lists [][]*item
	area  *arena.Arena
)

//go:noinline
func fill() {
	area = arena.NewArena()
	// Objects of an arena lead to others of it and to the heap; the last ones have no other holder.
	for i := 0; i < 2000; i++ {
		it := arena.New[item](area)
		it.n, it.next, it.buf = i, kept, make([]byte, 1000)
		kept = it
	}
	lists = append(lists, arena.MakeSlice[*item](area, 100, 100))
	for i := range lists[0] {
		lists[0][i] = &item{n: i, buf: make([]byte, 4000)}
	}
	truth.Live(unsafe.Pointer(&kept.buf[0]))
	truth.Live(unsafe.Pointer(&kept.next.next.next.buf[0]))
	truth.Live(unsafe.Pointer(&lists[0][99].buf[0]))
}

func main() {
	fill()
	time.Sleep(50 * time.Millisecond)
	truth.Settle()
	truth.Ready()
	truth.Beat()
}
