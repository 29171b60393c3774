// waits: goroutines that wait, in as many ways as there are; some that can be woken, some that never will. Each function
// that is a goroutine's outermost one is one truth: how many there are of it, what they wait for, whether they are leaked,
// and what they hold at least.
package main

import (
	"os"
	"runtime"
	"time"

	"victims/internal/truth"
)

const (
	each = 3
	size = 4096
)

// A load is what a goroutine holds by its stack alone.
type load struct{ bytes []byte }

//go:noinline
func newLoad() *load { return &load{make([]byte, size)} }

//go:noinline
func (l *load) use() { l.bytes[0]++ }

// A kind of goroutine. waits: the words for it, which differ from release to release.
type kind struct {
	function string
	n        int
	leaked   bool
	least    int
	waits    []string
}

var kinds []kind

//go:noinline
func expect(function string, n int, leaked bool, least int, waits ...string) {
	kinds = append(kinds, kind{function, n, leaked, least, waits})
}

//go:noinline
func leaked(function string, waits ...string) { expect(function, each, true, each*size, waits...) }

//go:noinline
func alive(function string, waits ...string) { expect(function, each, false, each*size, waits...) }

// clear overwrites what calls have left on the stack.
//
//go:noinline
func clear(depth int) byte {
	var room [512]byte
	room[depth%512] = byte(depth)
	if depth > 0 {
		return clear(depth-1) + room[(depth*7)%512]
	}
	return room[0]
}

//go:noinline
func ofMain(c chan int) { l := newLoad(); <-c; l.use() }

// park keeps the program going as many do. Main wakes no one any more, but what it holds is no leak.
//
//go:noinline
func park() {
	c, big := make(chan int), &load{make([]byte, 1<<20)}
	defer big.use()
	defer close(c)
	go ofMain(c)
	go truth.Beat()
	time.Sleep(100 * time.Millisecond)
	truth.Ready()
	select {}
}

func main() {
	leakChannels()
	leakLocks()
	leakLibrary()
	wakeChannels()
	wakeLocks()
	wakeLibrary()
	clear(32)
	time.Sleep(100 * time.Millisecond)
	truth.Settle()
	for _, k := range kinds {
		truth.Say("waits", truth.Keys{"function": k.function, "count": k.n, "leaked": k.leaked, "retained_min": k.least, "waits": k.waits})
	}
	if len(os.Args) > 1 && os.Args[1] == "park" {
		park()
	}
	if len(os.Args) > 1 && os.Args[1] == "profile" {
		truth.Say("profile", truth.Keys{"leaked": profile()})
	}
	runtime.GC()
	truth.Ready()
	truth.Beat()
}
