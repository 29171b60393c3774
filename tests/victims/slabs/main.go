// slabs: a pool of a Go program's own making, beside a sync.Pool: slabs outside of the heap, as cgo users have them.
package main

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

type object struct{ body [64]byte }

type slab struct {
	next      *slab
	used, cap uintptr
	mem       [100]object
}

type pool struct {
	name  string
	slabs *slab
	free  unsafe.Pointer
}

var frames = pool{name: "frames"}

var buffers = sync.Pool{New: func() any { return new([1 << 16]byte) }}

func (p *pool) get() unsafe.Pointer {
	if p.slabs == nil || p.slabs.used == p.slabs.cap {
		mem, err := syscall.Mmap(-1, 0, int(unsafe.Sizeof(slab{})), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			panic(err)
		}
		s := (*slab)(unsafe.Pointer(&mem[0]))
		s.next, s.cap = p.slabs, 100
		p.slabs = s
	}
	o := unsafe.Pointer(&p.slabs.mem[p.slabs.used])
	p.slabs.used++
	return o
}

func (p *pool) put(o unsafe.Pointer) {
	*(*unsafe.Pointer)(o) = p.free
	p.free = o
}

func main() {
	for i := 0; i < 1050; i++ {
		if o := frames.get(); i%7 == 0 {
			frames.put(o)
		}
	}
	buffers.Put(buffers.Get())
	fmt.Printf("{\"truth\":\"pool\",\"name\":\"frames\",\"address\":\"%p\",\"constructor\":null,\"items\":900,\"idle\":150,\"used_bytes\":57600,\"idle_bytes\":9600}\n", &frames)
	fmt.Printf("{\"truth\":\"ready\",\"pid\":%d}\n", os.Getpid())
	for {
		time.Sleep(20 * time.Millisecond)
		os.Stderr.WriteString(".")
	}
}
