package main

import (
	"sync"
	"time"
)

type guarded struct {
	n  int
	mu sync.Mutex
	rw sync.RWMutex
	wg sync.WaitGroup
}

// A once has a pointer, so that it does not share its block with small values of others.
type once struct {
	sync.Once
	l *load
}

// ---- leaked -----------------------------------------------------------------------------------------------------------

//go:noinline
func lockLost(g *guarded) { l := newLoad(); g.mu.Lock(); g.n++; l.use() }

//go:noinline
func readLockLost(g *guarded) { l := newLoad(); g.rw.RLock(); g.n++; l.use() }

//go:noinline
func writeLockLost(g *guarded) { l := newLoad(); g.rw.Lock(); g.n++; l.use() }

//go:noinline
func waitLost(g *guarded) { l := newLoad(); g.wg.Wait(); g.n++; l.use() }

//go:noinline
func condLost(c *sync.Cond) {
	l := newLoad()
	c.L.Lock()
	for l.bytes[0] == 0 {
		c.Wait()
	}
	c.L.Unlock()
}

// Has the lock, and waits for what nobody has; the other one waits for the lock.
//
//go:noinline
func holderLost(g *guarded, c chan int) {
	l := newLoad()
	g.mu.Lock()
	defer g.mu.Unlock()
	<-c
	l.use()
}

//go:noinline
func lockOfLost(g *guarded) { l := newLoad(); g.mu.Lock(); g.n++; l.use() }

//go:noinline
func onceLost(o *once, c chan int) {
	l := newLoad()
	o.Do(func() { <-c })
	l.use()
}

//go:noinline
func onceWaiterLost(o *once) {
	l := newLoad()
	o.Do(func() { panic("not the first") })
	l.use()
}

//go:noinline
func leakLocks() {
	taken := &guarded{}
	taken.mu.Lock()
	taken.rw.Lock()
	reading := &guarded{}
	reading.rw.RLock()
	waiting := &guarded{}
	waiting.wg.Add(1)
	cond := sync.NewCond(&sync.Mutex{})
	var onces []*once
	var held []*guarded
	for i := 0; i < each; i++ {
		go lockLost(taken)
		go readLockLost(taken)
		go writeLockLost(reading)
		go waitLost(waiting)
		go condLost(cond)
		held = append(held, &guarded{})
		onces = append(onces, &once{})
		go holderLost(held[i], make(chan int))
		go onceLost(onces[i], make(chan int))
	}
	time.Sleep(50 * time.Millisecond)
	for i := 0; i < each; i++ {
		go lockOfLost(held[i])
		go onceWaiterLost(onces[i])
	}
	leaked("main.lockLost", "sync.Mutex.Lock", "semacquire")
	leaked("main.readLockLost", "sync.RWMutex.RLock", "semacquire")
	// The first waits for the reader, the others for the first.
	expect("main.writeLockLost", each, true, each*size, "sync.RWMutex.Lock", "sync.Mutex.Lock", "semacquire")
	leaked("main.waitLost", "sync.WaitGroup.Wait", "semacquire")
	leaked("main.condLost", "sync.Cond.Wait")
	leaked("main.holderLost", "chan receive")
	leaked("main.lockOfLost", "sync.Mutex.Lock", "semacquire")
	leaked("main.onceLost", "chan receive")
	leaked("main.onceWaiterLost", "sync.Mutex.Lock", "semacquire")
}

// ---- alive ---------------------------------------------------------------------------------------------------------------

var (
	globalGuarded guarded
	globalPointer *guarded
	globalCond    *sync.Cond
)

//go:noinline
func lockGlobal() { l := newLoad(); globalGuarded.mu.Lock(); l.use() }

//go:noinline
func lockOfGlobal() { l := newLoad(); globalPointer.mu.Lock(); l.use() }

//go:noinline
func readLockOfGlobal() { l := newLoad(); globalPointer.rw.RLock(); l.use() }

//go:noinline
func condOfGlobal() {
	l := newLoad()
	globalCond.L.Lock()
	for l.bytes[0] == 0 {
		globalCond.Wait()
	}
	globalCond.L.Unlock()
}

//go:noinline
func waitForWorker(g *guarded) { l := newLoad(); g.wg.Wait(); l.use() }

//go:noinline
func worker(g *guarded) {
	l := newLoad()
	defer g.wg.Done()
	time.Sleep(time.Hour)
	l.use()
}

//go:noinline
func onceSleeper(o *once) {
	l := newLoad()
	o.Do(func() { time.Sleep(time.Hour) })
	l.use()
}

//go:noinline
func onceWaiter(o *once) {
	l := newLoad()
	o.Do(func() { panic("not the first") })
	l.use()
}

//go:noinline
func wakeLocks() {
	globalPointer, globalCond = &guarded{}, sync.NewCond(&sync.Mutex{})
	globalGuarded.mu.Lock()
	globalPointer.mu.Lock()
	globalPointer.rw.Lock()
	var onces []*once
	for i := 0; i < each; i++ {
		go lockGlobal()
		go lockOfGlobal()
		go readLockOfGlobal()
		go condOfGlobal()
		g := &guarded{}
		g.wg.Add(1)
		go waitForWorker(g)
		go worker(g)
		onces = append(onces, &once{})
		go onceSleeper(onces[i])
	}
	time.Sleep(50 * time.Millisecond)
	for i := 0; i < each; i++ {
		go onceWaiter(onces[i])
	}
	alive("main.lockGlobal", "sync.Mutex.Lock", "semacquire")
	alive("main.lockOfGlobal", "sync.Mutex.Lock", "semacquire")
	alive("main.readLockOfGlobal", "sync.RWMutex.RLock", "semacquire")
	alive("main.condOfGlobal", "sync.Cond.Wait")
	alive("main.waitForWorker", "sync.WaitGroup.Wait", "semacquire")
	alive("main.worker", "sleep")
	alive("main.onceSleeper", "sleep")
	alive("main.onceWaiter", "sync.Mutex.Lock", "semacquire")
}
