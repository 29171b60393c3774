// cgo: Go and C in one process: goroutines inside C, C's own threads, calls back from C, and cgo handles.
package main

/*
#include <pthread.h>
#include <unistd.h>

extern void heldByCallback(void);

static void sleep_in_c(void) { for (;;) pause(); }
static void *idle(void *arg) { for (;;) pause(); return arg; }
static void *call_back(void *arg) { heldByCallback(); return arg; }
static int start(void *(*run)(void *)) { pthread_t t; return pthread_create(&t, 0, run, 0); }
static int start_idle(void) { return start(idle); }
static int start_callback(void) { return start(call_back); }
*/
import "C"

import (
	"runtime/cgo"
	"syscall"
	"time"
	"unsafe"

	"victims/internal/truth"
)

type item struct {
	n   int
	buf []byte
}

func (it *item) data() unsafe.Pointer { return unsafe.Pointer(&it.buf[0]) }

var (
	global  *item
	gate    = make(chan int)
	entered = make(chan int)
)

//go:noinline
func newItem(n int) *item { return &item{n: n, buf: make([]byte, 3000+n)} }

//go:noinline
func inC() {
	it := newItem(1)
	truth.Why(it.data(), "main.inC")
	entered <- 1
	C.sleep_in_c()
	it.n++
	it.buf[0]++
}

//export heldByCallback
func heldByCallback() {
	it := newItem(2)
	truth.Live(it.data())
	entered <- 1
	<-gate
	it.buf[0]++
}

//go:noinline
func handle() {
	it := newItem(3)
	cgo.NewHandle(it)
	truth.Why(it.data(), "runtime/cgo.handles", "buf")
}

func main() {
	global = newItem(4)
	truth.Why(global.data(), "main.global", "buf")
	go inC()
	if C.start_idle() != 0 || C.start_callback() != 0 {
		panic("no thread")
	}
	<-entered
	<-entered
	handle()
	// The threads that the runtime makes beside those in C are made before the heap is counted.
	for i := 0; i < 30; i++ {
		time.Sleep(5 * time.Millisecond)
		syscall.Write(2, []byte("."))
	}
	truth.Settle()
	truth.Ready()
	truth.Beat()
}
