package main

import (
	"time"
	"unsafe"
)

// ---- leaked -----------------------------------------------------------------------------------------------------------

//go:noinline
func sendLost(c chan *load) { l := newLoad(); c <- l; l.use() }

//go:noinline
func receiveLost(c chan int) { l := newLoad(); l.bytes[0] += byte(<-c); l.use() }

//go:noinline
func selectLost(a chan *load, b chan int) {
	l := newLoad()
	select {
	case a <- l:
	case <-b:
	}
	l.use()
}

//go:noinline
func sendNil(c chan int) { l := newLoad(); c <- 1; l.use() }

//go:noinline
func receiveNil(c chan int) { l := newLoad(); <-c; l.use() }

//go:noinline
func selectNothing(l *load) {
	defer l.use()
	select {}
}

//go:noinline
func selectNil(a, b chan int) {
	l := newLoad()
	select {
	case <-a:
	case b <- 1:
	}
	l.use()
}

// The buffer is full, and holds as much again.
//
//go:noinline
func sendFull(c chan []byte) {
	for {
		c <- make([]byte, size)
	}
}

// Each waits for the one before it, the first for what nobody has.
//
//go:noinline
func chainLost(from, to chan int) { l := newLoad(); to <- <-from; l.use() }

// Two that wait for each other.
//
//go:noinline
func cycleLost(mine, others chan int) { l := newLoad(); <-others; mine <- 1; l.use() }

// A consumer that has gone after the first error, as with an errgroup.
//
//go:noinline
func producerLost(results chan<- error, done chan struct{}) {
	l := newLoad()
	defer close(done)
	results <- nil
	l.use()
}

//go:noinline
func collectorLost(done chan struct{}) { l := newLoad(); <-done; l.use() }

// A number is no pointer.
//
//go:noinline
func numberLost(c chan int) { l := newLoad(); <-c; l.use() }

var number uintptr

// A type with fields of its own, so that the channel is in no other's list of the same size.
type pair struct{ in, out chan int }

//go:noinline
func fieldLost(p *pair) {
	l := newLoad()
	for n := range p.in {
		p.out <- n
	}
	l.use()
}

//go:noinline
func leakChannels() {
	lost, ints, full := make(chan *load), make(chan int), make(chan []byte, 2*each)
	var none chan int
	for i := 0; i < each; i++ {
		go sendLost(lost)
		go receiveLost(ints)
		go selectLost(lost, ints)
		go sendNil(none)
		go receiveNil(none)
		go selectNothing(newLoad())
		go selectNil(none, none)
		go sendFull(full)
		go fieldLost(&pair{make(chan int), make(chan int)})
	}
	from := make(chan int)
	for i := 0; i < each; i++ {
		to := make(chan int)
		go chainLost(from, to)
		from = to
	}
	a, b := make(chan int), make(chan int)
	go cycleLost(a, b)
	go cycleLost(b, a)
	for i := 0; i < each; i++ {
		done := make(chan struct{})
		go producerLost(make(chan error), done)
		go collectorLost(done)
	}
	hidden := make(chan int)
	number = uintptr(*(*unsafe.Pointer)(unsafe.Pointer(&hidden)))
	for i := 0; i < each; i++ {
		go numberLost(hidden)
	}
	leaked("main.sendLost", "chan send")
	leaked("main.receiveLost", "chan receive")
	leaked("main.selectLost", "select")
	leaked("main.sendNil", "chan send (nil chan)")
	leaked("main.receiveNil", "chan receive (nil chan)")
	leaked("main.selectNothing", "select (no cases)")
	leaked("main.selectNil", "select")
	expect("main.sendFull", each, true, 3*each*size, "chan send")
	leaked("main.fieldLost", "chan receive")
	leaked("main.chainLost", "chan receive")
	expect("main.cycleLost", 2, true, 2*size, "chan receive")
	leaked("main.producerLost", "chan send")
	leaked("main.collectorLost", "chan receive")
	leaked("main.numberLost", "chan receive")
}

// ---- alive ---------------------------------------------------------------------------------------------------------------

var (
	globalChan  = make(chan int)
	globalMap   = map[string]chan int{}
	globalList  *node
	globalFunc  func()
	globalAny   []any
	globalBytes unsafe.Pointer
)

type node struct {
	next *node
	c    chan int
}

//go:noinline
func receiveGlobal() { l := newLoad(); <-globalChan; l.use() }

//go:noinline
func selectOneGlobal(lost chan int) {
	l := newLoad()
	select {
	case <-lost:
	case <-globalChan:
	}
	l.use()
}

//go:noinline
func receiveFromMap(c chan int) { l := newLoad(); <-c; l.use() }

//go:noinline
func receiveFromList(c chan int) { l := newLoad(); <-c; l.use() }

//go:noinline
func receiveFromClosure(c chan int) { l := newLoad(); <-c; l.use() }

//go:noinline
func receiveFromInterface(c chan int) { l := newLoad(); <-c; l.use() }

//go:noinline
func receiveFromUnsafe(c chan int) { l := newLoad(); <-c; l.use() }

//go:noinline
func receiveFromStack(c chan int) { l := newLoad(); <-c; l.use() }

//go:noinline
func sleeper(c chan int) {
	l := newLoad()
	time.Sleep(time.Hour)
	close(c)
	l.use()
}

// What it waits for is in the hands of one that can itself be woken.
//
//go:noinline
func chainAlive(from, to chan int) { l := newLoad(); to <- <-from; l.use() }

//go:noinline
func wakeChannels() {
	names := []string{"a", "b", "c"}
	for i := 0; i < each; i++ {
		go receiveGlobal()
		go selectOneGlobal(make(chan int))
		inMap, inList, inClosure, inAny, inBytes, onStack := make(chan int), make(chan int), make(chan int), make(chan int), make(chan int), make(chan int)
		globalMap[names[i]] = inMap
		for k := 0; k < 1000; k++ {
			globalList = &node{next: globalList}
			if k == 0 {
				globalList.c = inList
			}
		}
		before := globalFunc
		globalFunc = func() {
			close(inClosure)
			before()
		}
		globalAny = append(globalAny, any(struct{ c chan<- int }{inAny}))
		globalBytes = unsafe.Pointer(&struct {
			next unsafe.Pointer
			c    chan int
		}{globalBytes, inBytes})
		go receiveFromMap(inMap)
		go receiveFromList(inList)
		go receiveFromClosure(inClosure)
		go receiveFromInterface(inAny)
		go receiveFromUnsafe(inBytes)
		go receiveFromStack(onStack)
		go sleeper(onStack)
	}
	from := globalChan
	for i := 0; i < each; i++ {
		to := make(chan int)
		go chainAlive(from, to)
		from = to
	}
	alive("main.receiveGlobal", "chan receive")
	alive("main.selectOneGlobal", "select")
	alive("main.receiveFromMap", "chan receive")
	alive("main.receiveFromList", "chan receive")
	alive("main.receiveFromClosure", "chan receive")
	alive("main.receiveFromInterface", "chan receive")
	alive("main.receiveFromUnsafe", "chan receive")
	alive("main.receiveFromStack", "chan receive")
	alive("main.sleeper", "sleep")
	alive("main.chainAlive", "chan receive")
}
