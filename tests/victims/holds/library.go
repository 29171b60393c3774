package main

import (
	"bytes"
	"container/list"
	"context"
	"strings"
	"sync"
	"unsafe"

	"victims/internal/truth"
)

type ctxKey string

var (
	builder  strings.Builder
	buffer   bytes.Buffer
	ll       = list.New()
	pooled   sync.Pool
	concmap  sync.Map
	ctxRoot  context.Context
	stopRoot context.CancelFunc
	ctxLeaf  context.Context
)

// dataOf gives the pointer in an interface.
func dataOf(c context.Context) unsafe.Pointer {
	return (*[2]unsafe.Pointer)(unsafe.Pointer(&c))[1]
}

//go:noinline
func holdInLibrary() {
	builder.Grow(6000)
	builder.WriteString("text")
	truth.Why(unsafe.Pointer(unsafe.StringData(builder.String())), "main.builder", "buf")
	buffer.Grow(7000)
	buffer.WriteString("bytes")
	truth.Why(unsafe.Pointer(&buffer.Bytes()[0]), "main.buffer", "buf")

	for i := 0; i < 10; i++ {
		ll.PushBack(newItem(i))
	}
	truth.Why(ll.Front().Next().Next().Value.(*item).data(), "main.ll", "next", "Value", "buf")

	for i := 0; i < 4; i++ {
		pooled.Put(newItem(i))
	}

	for _, key := range []string{"alpha", "beta", "gamma"} {
		concmap.Store(key, newItem(len(key)))
	}
	v, _ := concmap.Load("beta")
	truth.Why(v.(*item).data(), "main.concmap", "buf")

	ctxRoot, stopRoot = context.WithCancel(context.Background())
	child, stopChild := context.WithCancel(ctxRoot)
	_ = stopChild // never called: the parent keeps the child
	truth.Why(dataOf(child), "main.ctxRoot", "children")
	it := newItem(1)
	ctxLeaf = context.WithValue(context.WithValue(ctxRoot, ctxKey("a"), it), ctxKey("b"), 2)
	truth.Why(it.data(), "main.ctxLeaf", "buf")
}
