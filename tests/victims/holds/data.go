package main

import (
	"unsafe"

	"victims/internal/truth"
)

type row struct {
	id    int
	cells [4]*item
}

type base struct{ it *item }

type outer struct {
	base
	*row
	name string
}

type node[T any] struct {
	next *node[T]
	val  T
	pad  [40]byte
}

// A List is generic.
type List[T any] struct {
	head *node[T]
	n    int
}

func (l *List[T]) add(v T) {
	l.head = &node[T]{next: l.head, val: v}
	l.n++
}

type pair struct {
	n  int
	it *item
}

type shape interface{ area() int }

type square struct {
	side int
	it   *item
}

func (s square) area() int { return s.side * s.side }

type page struct {
	bytes [8192]byte
	links [4]*page
}

// A ledger is so large that its pointers are told by a program (until 1.23) or worked out when they are asked for.
type ledger struct {
	entries [12000]struct {
		n  int
		it *item
	}
	tail [3]int
}

var (
	rows     []row
	books    *ledger
	shelf    []ledger
	static   ledger
	matrix   [][]*item
	boxedPtr any
	boxed    any
	anys     []any
	shapes   [3]shape
	embedded *outer
	numbers  List[int]
	items    List[*item]
	fifo     = make(chan pair, 8)
	chans    []chan *item
	inside   unsafe.Pointer
	midArray *[16]byte
	capOnly  []*item // length 0: what it holds lies beyond
	double   **item
	text     []string
	single   struct {
		sub struct{ it *item }
	}
)

//go:noinline
func holdInData() {
	rows = make([]row, 5)
	rows[2].cells[3] = newItem(23)
	truth.Why(rows[2].cells[3].data(), "main.rows", "[2]", "cells", "[3]", "buf")

	matrix = [][]*item{nil, {newItem(1), newItem(2), newItem(3)}}
	truth.Why(matrix[1][2].data(), "main.matrix", "[1]", "[2]", "buf")

	it := newItem(1)
	boxedPtr = it
	truth.Why(it.data(), "main.boxedPtr", "buf")
	value := *newItem(2)
	boxed = value
	truth.Why(value.data(), "main.boxed", "buf")
	anys = []any{1, newItem(3), "x"}
	truth.Why(anys[1].(*item).data(), "main.anys", "[1]", "buf")
	shapes[1] = square{side: 2, it: newItem(4)}
	truth.Why(shapes[1].(square).it.data(), "main.shapes", "[1]", "it", "buf")

	books = &ledger{}
	books.entries[11999].it = newItem(31)
	truth.Why(books.entries[11999].it.data(), "main.books", "entries", "[11999]", "it", "buf")
	shelf = make([]ledger, 2)
	shelf[1].entries[7].it = newItem(32)
	truth.Why(shelf[1].entries[7].it.data(), "main.shelf", "[1]", "entries", "[7]", "it", "buf")
	static.entries[11998].it = newItem(33)
	truth.Why(static.entries[11998].it.data(), "main.static", "entries", "[11998]", "it", "buf")

	embedded = &outer{base: base{newItem(5)}, row: &row{}}
	embedded.row.cells[0] = newItem(6)
	truth.Why(embedded.it.data(), "main.embedded", "it", "buf")
	truth.Why(embedded.cells[0].data(), "main.embedded", "cells", "[0]", "buf")

	for i := 0; i < 1000; i++ {
		numbers.add(i)
		items.add(newItem(i))
	}
	truth.Type(unsafe.Pointer(numbers.head.next), "main.node[int]", 64)
	last := items.head
	for last.next != nil {
		last = last.next
	}
	truth.Why(last.val.data(), "main.items", "head", "next", "next", "val", "buf")

	for i := 0; i < 13; i++ { // the buffer of 8 wraps around
		fifo <- pair{i, newItem(i)}
		if i >= 5 {
			<-fifo
		}
	}
	p := <-fifo
	fifo <- p
	truth.Why(p.it.data(), "main.fifo", "it", "buf")
	chans = []chan *item{nil, make(chan *item, 1)}
	it = newItem(7)
	chans[1] <- it
	truth.Why(it.data(), "main.chans", "[1]", "buf")

	big := &page{}
	inside = unsafe.Pointer(&big.links[2])
	big.links[0] = &page{}
	truth.Why(unsafe.Pointer(big), "main.inside")
	// Large objects know their types since 1.22.
	truth.Why(unsafe.Pointer(big.links[0]), "main.inside", truth.NamedSince(22, "links", "[0]")...)
	midArray = (*[16]byte)((&page{}).bytes[4000:4016])
	truth.Why(unsafe.Pointer(midArray), "main.midArray")

	capOnly = append(capOnly, newItem(8), newItem(9))
	truth.Why(capOnly[1].data(), "main.capOnly", "buf")
	capOnly = capOnly[:0]
	it = newItem(10)
	double = &it
	truth.Why(it.data(), "main.double", "buf")
	text = append(text, string(make([]byte, 4000))[100:110])
	truth.Why(unsafe.Pointer(unsafe.StringData(text[0])), "main.text", "[0]")
	single.sub.it = newItem(11)
	truth.Why(single.sub.it.data(), "main.single", "sub.it", "buf")
}
