//go:build go1.24

package main

import (
	"runtime"
	"unique"
	"unsafe"
	"weak"

	"victims/internal/truth"
)

var (
	weakHeld  weak.Pointer[item]
	weakAlone weak.Pointer[item]
	cleaned   *item
	handle    unique.Handle[[64]byte]
	weakMap   = map[weak.Pointer[item]]*item{}
)

func init() { more = append(more, holdSince124) }

//go:noinline
func holdSince124() {
	it := newItem(1)
	boxedPtrs = append(boxedPtrs, it)
	weakHeld = weak.Make(it)
	truth.Why(it.data(), "main.boxedPtrs", "[0]", "buf")

	cleaned = newItem(2)
	note := newItem(3)
	runtime.AddCleanup(cleaned, func(n *item) { n.n++ }, note)
	truth.Live(note.data())
	captured := newItem(4)
	runtime.AddCleanup(cleaned, func(n int) { captured.n += n }, 5)
	truth.Live(captured.data())

	handle = unique.Make([64]byte{1, 2, 3})
	truth.Live(*(*unsafe.Pointer)(unsafe.Pointer(&handle)))

	key := newItem(6)
	boxedPtrs = append(boxedPtrs, key)
	weakMap[weak.Make(key)] = newItem(7)
	truth.Why(weakMap[weak.Make(key)].data(), "main.weakMap", "buf")
}

var boxedPtrs []*item
