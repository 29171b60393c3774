package main

import "victims/internal/truth"

// What variables are initialised with is made by the linker, and has no name of its own.

type rack struct {
	label string
	items []*item
	next  *rack
	by    map[string]*item
}

type labelled interface{ name() string }

func (s *rack) name() string { return s.label }

var (
	staticRack           = &rack{label: "first", next: &rack{label: "second"}}
	staticList           = []*rack{{label: "a"}, {label: "b"}}
	staticFace  labelled = &rack{label: "face"}
	staticPairs          = [2]struct{ left, right *rack }{{right: &rack{}}, {left: &rack{}}}
)

//go:noinline
func holdInStatics() {
	staticRack.items = []*item{newItem(1)}
	truth.Why(staticRack.items[0].data(), "main.staticRack", "items", "buf")
	staticRack.next.items = []*item{nil, newItem(2)}
	truth.Why(staticRack.next.items[1].data(), "main.staticRack", "next", "items", "[1]", "buf")
	staticRack.next.by = map[string]*item{"key": newItem(3)}
	truth.Why(staticRack.next.by["key"].data(), "main.staticRack", "next", "by", `["key"]`, "buf")
	staticList[1].items = []*item{newItem(4)}
	truth.Why(staticList[1].items[0].data(), "main.staticList", "[1]", "items", "buf")
	staticFace.(*rack).items = []*item{newItem(5)}
	truth.Why(staticFace.(*rack).items[0].data(), "main.staticFace", "(*main.rack)", "items", "buf")
	staticPairs[1].left.items = []*item{newItem(6)}
	truth.Why(staticPairs[1].left.items[0].data(), "main.staticPairs", "[1]", "left", "items", "buf")
}

func init() { more = append(more, holdInStatics) }
