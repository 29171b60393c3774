// busy: goroutines that allocate, make garbage and move stacks without rest: what a stop must take in its stride.
// Arguments: the number of goroutines (4); "zombie": the first thread ends, the others run on.
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"victims/internal/truth"
)

type leaf struct {
	next *leaf
	data [6]int
}

var (
	kept [64]*leaf
	done atomic.Int64
)

//go:noinline
func grow(depth int, l *leaf) int {
	var pad [32]int
	pad[depth%32] = depth
	if depth == 0 {
		return pad[0] + l.data[0]
	}
	return grow(depth-1, l) + pad[depth%32]
}

func work(id int) {
	m := map[int]*leaf{}
	for i := 0; ; i++ {
		var list *leaf
		for j := 0; j < 50; j++ {
			list = &leaf{next: list}
		}
		m[i%1000] = list
		kept[id%len(kept)] = list
		if i%100 == 0 {
			done.Add(int64(grow(200, list)) + 1)
			go func() { runtime.Gosched() }()
		}
	}
}

func main() {
	n, zombie := 4, false
	for _, arg := range os.Args[1:] {
		if v, err := strconv.Atoi(arg); err == nil {
			n = v
		}
		zombie = zombie || arg == "zombie"
	}
	if zombie {
		runtime.LockOSThread() // this is the first thread
	}
	for i := 0; i < n; i++ {
		go work(i)
	}
	go truth.Beat()
	time.Sleep(100 * time.Millisecond)
	truth.Ready()
	if zombie {
		syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
	}
	select {}
}
