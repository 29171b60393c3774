// slack: small views of large blocks, and room that nothing uses, each of a known size at a known place; and blocks that look
// like it, but waste nothing. Also objects to group by their fields, and fields with names on the wire.
package main

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"victims/internal/truth"
)

const (
	kib   = 1 << 10
	block = 64 * kib
)

type Session struct {
	ID      string
	Payload []byte
}

type Doc struct {
	Title, Author string
	Body          *string
}

type Point struct{ X, Y, Z, W int64 }

type Ring struct {
	Name  string
	Slots [4][]byte
}

type Registry struct {
	Entries map[int]Point
}

type Box[T any] struct {
	Of   T
	View []byte
}

type Item struct {
	N    int
	Data [1000]byte
}

type Halves struct{ Left, Right []byte }

// Wide is large enough for its descriptor to be known from its header.
type Wide struct {
	Name  *string
	Rest  [2000]byte
	Small Point
}

var (
	headers   [][]byte
	sessions  = map[int]*Session{}
	titles    []string
	docs      []*Doc
	corner    *Point
	inside    *Point
	pending   []*Item
	registry  = &Registry{Entries: map[int]Point{}} // the linker's, which has no name of its own
	cache     = map[string][]byte{}
	bySync    sync.Map
	keep      func() int
	ring      *Ring
	deep      [][][]byte
	attrs     = map[string]any{}
	box       *Box[int]
	direct    struct{ inner struct{ view []byte } }
	events    chan *Item
	numbers   chan int64
	busy      chan *Item
	exact     []byte
	halves    []*Halves
	whole     = map[string]string{}
	grown     = map[int]*Item{}
	pieces    []*Point
	all       []Point
	blockSize = block // variables, so that blocks are on the heap
	gate      = make(chan int)
)

//go:noinline
func fresh(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 512 {
		b[i] = byte(i)
	}
	return b
}

//go:noinline
func freshString(n int) string { return strings.Repeat("abcdefgh", n/8) }

//go:noinline
func worker() {
	buf := fresh(blockSize)[100:110]
	n := <-gate
	buf[0] = byte(n)
	runtime.KeepAlive(&buf)
	sink(buf)
}

//go:noinline
func sink(b []byte) { runtime.KeepAlive(b) }

// slack says: rows of this holder waste at least and at most so much in so many blocks.
func slack(holder, kind string, count, least, most int, more truth.Keys) {
	keys := truth.Keys{"holder": holder, "kind": kind, "count": count, "least": least, "most": most}
	for k, v := range more {
		keys[k] = v
	}
	truth.Say("slack", keys)
}

//go:noinline
func fillViews() {
	for i := 0; i < 32; i++ {
		headers = append(headers, fresh(blockSize)[4096:4112])
	}
	slack("main.headers[*]", "sub-slice", 32, 32*(block-16), 32*(block-16), nil)
	for i := 0; i < 16; i++ {
		sessions[i] = &Session{ID: fmt.Sprint("session-", i), Payload: fresh(blockSize)[100:200:300]}
	}
	slack("main.Session.Payload", "sub-slice", 16, 16*(block-100), 16*(block-100), truth.Keys{"capacity": 16 * 100})
	titles = append(titles, freshString(blockSize)[1000:1010])
	slack("main.titles[*]", "substring", 1, block-10, block-10, nil)
	for i := 0; i < 8; i++ {
		text := freshString(blockSize)
		docs = append(docs, &Doc{Title: text[:100], Author: text[50:250]})
	}
	slack("main.Doc.Author", "substring", 8, 8*(block-250), 8*(block-250),
		truth.Keys{"shared_with": []string{"main.Doc.Title"}, "shared_views": 8})
	corner = &make([]Point, blockSize/32)[700]
	slack("main.corner", "interior pointer", 1, block-32, block-32, nil)
	wide := &Wide{Name: &titles[0]}
	inside = &wide.Small
	slack("main.inside", "interior pointer", 1, 2008, 2300, nil)
	cache["only"] = fresh(blockSize)[7:17]
	slack("main.cache[*]", "sub-slice", 1, block-10, block-10, nil)
	bySync.Store("only", fresh(blockSize)[7:17])
	slack("main.bySync[*]", "sub-slice", 1, block-10, block-10, nil)
	ring = &Ring{Name: "ring"}
	ring.Slots[1], ring.Slots[3] = fresh(blockSize)[7:17], fresh(blockSize)[7:17]
	slack("main.Ring.Slots[*]", "sub-slice", 2, 2*(block-10), 2*(block-10), nil)
	deep = [][][]byte{{fresh(blockSize)[7:17]}, {fresh(blockSize)[:10], nil}}
	slack("main.deep[*][*]", "sub-slice", 2, 2*(block-10), 2*(block-10), nil)
	attrs["text"] = freshString(blockSize)[10:20]
	slack("main.attrs[*]", "substring", 1, block-10, block-10, nil)
	box = &Box[int]{View: fresh(blockSize)[1:11]}
	slack("main.Box[int].View", "sub-slice", 1, block-10, block-10, nil)
	direct.inner.view = fresh(blockSize)[1:11]
	slack("main.direct.inner.view", "sub-slice", 1, block-10, block-10, nil)
}

//go:noinline
func fillRoom() {
	for i := 0; i < 1024; i++ {
		pending = append(pending, &Item{N: i})
	}
	pending = pending[:24]
	slack("main.pending", "capacity", 1, 8*1000, 8*1600, truth.Keys{"hidden": 1000, "hidden_least": 1000 * 1008})
	for i := 0; i < 10000; i++ {
		registry.Entries[i] = Point{X: int64(i)}
	}
	for i := 10; i < 10000; i++ {
		delete(registry.Entries, i)
	}
	slack("main.Registry.Entries", "map", 1, 10000*40*9/10, 10000*40*8, nil)
	events = make(chan *Item, 8192)
	slack("main.events", "channel", 1, 8192*8, 8192*8, nil)
	numbers = make(chan int64, 8192)
	numbers <- 1
	slack("main.numbers", "channel", 1, 8191*8, 8191*8, nil)
}

// fillTight fills what wastes nothing.
//
//go:noinline
func fillTight() {
	exact = fresh(1000)[:1000] // of 1024
	for i := 0; i < 4; i++ {
		b := fresh(blockSize)
		halves = append(halves, &Halves{Left: b[:block/2], Right: b[block/2-100:]})
	}
	halves = halves[:4:4]
	for i := 0; i < 100; i++ {
		whole[fmt.Sprint("key-", i)] = fmt.Sprint("a value that is all seen ", i)
	}
	for i := 0; i < 3000; i++ {
		grown[i] = &Item{N: i}
	}
	busy = make(chan *Item, 1024)
	for i := 0; i < 900; i++ {
		busy <- grown[i]
	}
	all = make([]Point, 64)
	for i := range all {
		pieces = append(pieces, &all[i])
	}
	pieces = pieces[:64:64]
	for _, holder := range []string{"main.exact", "main.Halves.Left", "main.Halves.Right", "main.whole[*]", "main.whole[key *]",
		"main.grown", "main.grown[*]", "main.busy", "main.pieces[*]", "main.all", "main.sessions", "main.Session.ID", "main.docs[*]"} {
		truth.Say("no slack", truth.Keys{"holder": holder})
	}
}

//go:noinline
func fillClosure() {
	view := fresh(blockSize)[1:11]
	keep = func() int { view = view[:5]; return len(view) }
	slack("main.fillClosure.func1.view", "sub-slice", 1, block-10, block-10, nil)
}

//go:noinline
func drop() {
	lost := &Session{ID: "lost", Payload: fresh(blockSize)[1:2]}
	truth.Garbage(unsafe.Pointer(lost))
}

func main() {
	fillViews()
	fillRoom()
	fillTight()
	fillClosure()
	for i := 0; i < 3; i++ {
		go worker()
	}
	slack("main.worker.buf", "sub-slice", 3, 3*(block-10), 3*(block-10), nil)
	fillFields()
	truth.Settle()
	for i := 0; i < 4; i++ {
		drop()
	}
	truth.Ready()
	truth.Beat()
}
