//go:build go1.21

package main

import (
	"sync"
	"unsafe"
)

type (
	rare struct {
		buf  []byte
		p, q *int
	}
	scarce struct {
		s string
		p *int
		n [7]int
	}
	odd struct {
		n [9]int
		p *rare
	}
)

var (
	lazy   = sync.OnceValue(func() *rare { return &rare{buf: some()} })
	lazier = sync.OnceValues(func() (*scarce, *odd) { return &scarce{s: "s"}, &odd{p: &rare{}} })
)

func init() {
	later = func() {
		r := lazy()
		typed(unsafe.Pointer(r), "main.rare", "kept by sync.OnceValue")
		typed(unsafe.Pointer(&r.buf[0]), "[]uint8", "of what is kept by sync.OnceValue")
		s, o := lazier()
		typed(unsafe.Pointer(s), "main.scarce", "kept by sync.OnceValues")
		typed(unsafe.Pointer(o), "main.odd", "kept by sync.OnceValues")
		typed(unsafe.Pointer(o.p), "main.rare", "of what is kept by sync.OnceValues")
	}
}
