// churn: goroutines that allocate, collect and grow stacks without rest, and know at each moment some objects that are
// live: held by a map, a channel, a list, a closure, or by nothing but a stack or a register. For stops at any moment.
//
// Prints {"truth":"known","address":A,"count":N,"mask":M}: at A stand N words; one that is not 0 is, after an exclusive or
// with M, the address of an object that is live now. An object is held before its word is set, and until after it is 0.
package main

import (
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"victims/internal/truth"
)

const (
	mask  = 0x5555555555555555
	slots = 16 // a goroutine
)

type node struct {
	next *node
	body []byte
	id   int
}

type large struct {
	head *node
	rest [200]*node
}

var (
	known   [64 * slots]atomic.Uint64
	shared  sync.Map
	lists   [64]*node
	queues  [64]chan *node
	stopped atomic.Bool
)

//go:noinline
func tell(slot int, p unsafe.Pointer) { known[slot].Store(uint64(uintptr(p)) ^ mask) }

//go:noinline
func forget(slot int) { known[slot].Store(0) }

//go:noinline
func fresh(id int) *node { return &node{id: id, body: make([]byte, 16+id%700)} }

// onStack holds its object in a frame below others, while stacks grow and shrink above it.
//
//go:noinline
func onStack(slot, depth int) int {
	n := fresh(depth)
	tell(slot, unsafe.Pointer(n))
	sum := deep(depth)
	forget(slot)
	return sum + n.id
}

//go:noinline
func deep(depth int) int {
	var pad [64]int
	if depth == 0 {
		return len(fresh(depth).body)
	}
	pad[depth%64] = deep(depth - 1)
	return pad[depth%64] + 1
}

func work(g int) {
	own := map[int]*node{}
	base := g * slots
	for i := 0; ; i++ {
		n := fresh(i)
		own[i%50] = n
		tell(base, unsafe.Pointer(n))
		forget(base + 1)
		shared.Store(g, n)
		tell(base+1, unsafe.Pointer(&n.id)) // an interior pointer
		lists[g] = &node{next: n, id: i}
		tell(base+2, unsafe.Pointer(lists[g].next))
		queues[g] <- n
		b := &large{head: n}
		b.rest[i%200] = fresh(i)
		tell(base+3, unsafe.Pointer(b.rest[i%200]))
		sum := onStack(base+4, i%300)
		forget(base + 3)
		runtime.KeepAlive(b) // its length is a constant: without this nothing would hold it
		hold := func() int { return n.id + sum }
		tell(base+5, unsafe.Pointer(&n.body[0]))
		sum += hold()
		forget(base + 5)
		forget(base + 2)
		<-queues[g]
		forget(base)
		runtime.KeepAlive(n)
		if i%64 == 0 {
			runtime.Gosched()
		}
	}
}

// clock is in the vdso most of the time, and holds its object by nothing but a stack.
//
//go:noinline
func clock(slot, id int) int64 {
	n, sum := fresh(id), int64(0)
	tell(slot, unsafe.Pointer(n))
	for i := 0; i < 3000; i++ {
		sum += time.Now().UnixNano()
	}
	forget(slot)
	return sum + int64(n.id)
}

// spin calls nothing: it can only be preempted by a signal, with its object in a register.
//
//go:noinline
func spin(slot, id int) int {
	n := fresh(id)
	tell(slot, unsafe.Pointer(n))
	pair := [2]*node{n, n}
	for i := 0; i < 3000000; i++ {
		pair[i%2].id += i
		pair = [2]*node{pair[1], pair[0]}
	}
	forget(slot)
	return pair[0].id
}

// own sends signals to its own process, whose handlers run on stacks of their own.
//
//go:noinline
func own(slot, id int) int {
	n := fresh(id)
	tell(slot, unsafe.Pointer(n))
	for i := 0; i < 100; i++ {
		syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	}
	forget(slot)
	return n.id
}

// odd starts goroutines that are where few are: in the vdso, in handlers of signals, preempted at any instruction, or on
// the system's stack.
func odd() {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGUSR1)
	runtime.SetCPUProfileRate(1000)
	for k, f := range []func(slot, id int){
		func(slot, id int) { clock(slot, id) },
		func(slot, id int) { spin(slot, id) },
		func(slot, id int) { own(slot, id) },
	} {
		go func(slot int, f func(int, int)) {
			for id := 0; ; id++ {
				f(slot, id)
			}
		}(63*slots+k, f)
	}
	go func() {
		buf := make([]byte, 1<<16)
		for {
			runtime.Stack(buf, true)
			debug.FreeOSMemory()
			<-caught
		}
	}()
}

func main() {
	n := 4
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	if len(os.Args) > 2 && os.Args[2] == "odd" {
		odd()
	}
	for g := 0; g < n && g < 63; g++ {
		queues[g] = make(chan *node, 1)
		go work(g)
	}
	go func() {
		for !stopped.Load() {
			runtime.GC()
		}
	}()
	go truth.Beat()
	time.Sleep(100 * time.Millisecond)
	truth.Say("known", truth.Keys{"address": truth.At(unsafe.Pointer(&known)), "count": len(known), "mask": uint64(mask)})
	truth.Ready()
	select {}
}
