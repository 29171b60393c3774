// profiled: a heap whose shapes profiles must fold, goroutines that wait in groups, and the runtime's own profiles of
// both, in the folder that is the first argument, to compare with. With a second argument 5000 more links are held.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"

	"victims/internal/truth"
)

type link struct {
	next *link
	text *[100]byte
}

type binary struct {
	left, right *binary
	weight      *[3]int64
}

type branch struct {
	twigs []*branch
	leaf  *[24]byte
}

// Two types that hold each other, in a chain: no type of it holds its own.
type odd struct {
	even *even
	data *[40]byte
}
type even struct {
	odd  *odd
	data *[60]byte
}

type request struct {
	header map[string]*string
	body   []byte
	parent *request
}

type item struct {
	name  string
	value *[3]int64
}

type service struct {
	buffers  sync.Pool
	requests map[int]*request
	items    []item
	grid     [4][4]*request
	any      interface{}
	handler  func() *request
}

var (
	list    *link
	tree    *binary
	bushes  *branch
	chain   *odd
	server  *service
	pool    sync.Pool
	firsts  []*request
	seconds []*request
	loop    *request
)

//go:noinline
func grow(depth int) *binary {
	if depth == 0 {
		return nil
	}
	return &binary{grow(depth - 1), grow(depth - 1), new([3]int64)}
}

//go:noinline
func sprout(depth int) *branch {
	b := &branch{leaf: new([24]byte)}
	if depth > 0 {
		b.twigs = []*branch{sprout(depth - 1), sprout(depth - 1)}
	}
	return b
}

//go:noinline
func newRequest(i, size int) *request {
	text := "value " + strconv.Itoa(i)
	return &request{header: map[string]*string{"key " + strconv.Itoa(i): &text}, body: make([]byte, size)}
}

//go:noinline
func fill() {
	for i := 0; i < 20000; i++ {
		list = &link{next: list, text: new([100]byte)}
	}
	tree = grow(12)
	bushes = sprout(9)
	server = &service{requests: map[int]*request{}}
	for i := 0; i < 5000; i++ {
		chain = &odd{even: &even{odd: chain, data: new([60]byte)}, data: new([40]byte)}
	}
	for i := 0; i < 1000; i++ {
		server.requests[i] = newRequest(i, 2000)
		server.items = append(server.items, item{"item " + strconv.Itoa(i), new([3]int64)})
	}
	for i := range server.grid {
		server.grid[i][i] = newRequest(i, 3000)
	}
	server.any = newRequest(1, 5000)
	held := newRequest(2, 7000)
	server.handler = func() *request { return held }
	for i := 0; i < 100; i++ {
		both := newRequest(i, 4000)
		firsts = append(firsts, both)
		seconds = append(seconds, both)
	}
	loop = newRequest(1, 100)
	loop.parent = newRequest(2, 100)
	loop.parent.parent = loop
}

//go:noinline
func wait(c chan bool, size int) {
	mine := newRequest(size, size)
	<-c
	runtime.KeepAlive(mine)
}

//go:noinline
func waitDeep(c chan bool, depth int) {
	if depth > 0 {
		waitDeep(c, depth-1)
		return
	}
	wait(c, 6000)
}

func write(name string) {
	f, err := os.Create(filepath.Join(os.Args[1], name+".pb.gz"))
	if err == nil {
		err = pprof.Lookup(name).WriteTo(f, 0)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	runtime.MemProfileRate = 512
	fill()
	if len(os.Args) > 2 {
		for i := 0; i < 5000; i++ {
			list = &link{next: list}
		}
	}
	c := make(chan bool)
	for i := 0; i < 40; i++ {
		go wait(c, 9000)
	}
	go waitDeep(c, 20)
	go waitDeep(c, 300)
	truth.Settle()
	pool.Put(new([5000]byte))
	server.buffers.Put(new([6000]byte))
	runtime.GC()
	pool.Put(new([5000]byte))
	server.buffers.Put(new([6000]byte))
	write("goroutine")
	write("allocs")
	truth.Ready()
	truth.Beat()
}
