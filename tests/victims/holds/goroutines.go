package main

import (
	"runtime"
	"sync"
	"syscall"

	"victims/internal/truth"
)

var (
	gate  = make(chan *item) // nobody ever uses it
	other = make(chan int)
	mutex sync.Mutex
	said  sync.WaitGroup // those who have told their truth
	cond  = sync.NewCond(&sync.Mutex{})
)

// holder says that the goroutine that runs function holds what it allocated.
// At times the debug information has no place for the variable, as it stands in a register across a call: its type is known
// all the same, and so is the path.
//
//go:noinline
func holder(n int, function string, via ...string) *item {
	it := newItem(n)
	truth.WhyKind(it.data(), "goroutine", function, via...)
	said.Done()
	return it
}

//go:noinline
func selectSender() {
	it := holder(1, "main.selectSender", "buf")
	select {
	case gate <- it:
	case <-other:
	}
}

//go:noinline
func deferWithArgs() {
	it := holder(2, "main.deferWithArgs", "buf")
	defer func(held *item) { held.n++ }(it)
	it = nil
	<-other
}

//go:noinline
func deferInLoop() {
	for i := 0; i < 3; i++ {
		it := holder(i, "main.deferInLoop", capturedBuf...)
		defer func() { it.n++ }()
	}
	<-other
}

//go:noinline
func recovering() {
	it := holder(4, "main.recovering", "buf")
	defer func() {
		recover()
		<-other // in the middle of a panic
		it.n++
	}()
	panic(it)
}

//go:noinline
func onStack() {
	var local struct {
		pad [10]int
		its [3]*item
	}
	local.its[2] = holder(5, "main.onStack", "buf")
	use(&local.its)
	runtime.KeepAlive(&local)
}

//go:noinline
func use(its *[3]*item) {
	<-other
	its[2].n++
}

//go:noinline
func inSyscall(fd int) {
	it := holder(6, "main.inSyscall", "buf")
	var b [1]byte
	syscall.Read(fd, b[:])
	it.n++
}

//go:noinline
func onMutex() {
	it := holder(7, "main.onMutex", "buf")
	mutex.Lock()
	it.n++
}

//go:noinline
func onCond() {
	it := holder(8, "main.onCond", "buf")
	cond.L.Lock()
	cond.Wait()
	it.n++
}

//go:noinline
func deep(n int, it *item) int {
	if n > 0 {
		return deep(n-1, it) + it.n
	}
	<-other
	return it.n
}

//go:noinline
func deepStack() {
	it := holder(9, "main.deepStack", "buf")
	deep(2000, it)
	it.n++
}

//go:noinline
func argumentsOfGo(a int, it *item, s []byte) {
	<-other
	it.n += a + len(s)
}

//go:noinline
func holdInGoroutines() {
	mutex.Lock()
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil { // a plain descriptor: the thread itself blocks in read
		panic(err)
	}
	holders := []func(){selectSender, deferWithArgs, deferInLoop, recovering, onStack, onMutex, onCond, deepStack}
	said.Add(len(holders) + 2 + 1) // deferInLoop has three, and there is inSyscall
	for _, f := range holders {
		go f()
	}
	go inSyscall(fds[0])
	it := newItem(10)
	truth.WhyKind(it.data(), "goroutine", "main.argumentsOfGo", "buf")
	go argumentsOfGo(1, it, make([]byte, 100))
	for i := 0; i < 17; i++ {
		go func() { <-other }()
	}
	said.Wait()
	truth.Say("goroutines", truth.Keys{"function": "main.holdInGoroutines.func1", "count": 17, "wait": "chan receive"})
	truth.Say("goroutines", truth.Keys{"function": "main.selectSender", "count": 1, "wait": "select"})
	truth.Say("goroutines", truth.Keys{"function": "main.onMutex", "count": 1, "wait": "sync.Mutex.Lock"})
	truth.Say("goroutines", truth.Keys{"function": "main.onCond", "count": 1, "wait": "sync.Cond.Wait"})
}
