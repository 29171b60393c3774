// typed: objects that one thing alone holds, of each kind that gives no type away at first sight, each with its type.
//
// Prints {"truth":"typed","address":A,"type":T,"what":W}: at A starts, or stands, an object of type T.
package main

import (
	"context"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"victims/internal/truth"
)

// Each kind of holder has types of its own, so that nothing else can tell: all have an address and bytes without one.
type (
	byValue struct {
		a, b *int
		buf  []byte
	}
	byRef struct {
		buf []byte
		a   *int
	}
	receiver struct {
		buf []byte
		n   [3]int
	}
	inDefer struct {
		n    int
		buf  []byte
		next *inDefer
	}
	sender struct {
		buf []byte
		s   string
	}
	selecting struct {
		s   string
		buf []byte
	}
	onMutex struct {
		n   int
		buf []byte
		s   string
		p   *int
	}
	onGroup struct {
		p   *int
		buf []byte
		n   [4]int
	}
	onTimer struct {
		buf []byte
		m   map[string]int
	}
	inMap struct {
		p, q *int
		s    string
	}
	inContext struct {
		s, t string
		p    *int
	}
	atomically struct {
		p   *int
		n   int
		buf []byte
	}
	finalized struct {
		n int
		p *int
	}
	logged struct {
		buf  []byte
		p, q *int
	}
	pooled struct {
		buf []byte
		n   int
	}
	reflected struct {
		s    string
		n, m int
		p    *int
	}
	inLocal struct {
		s string
		p *int
		n [5]int
	}
	queued struct {
		p *int
		s string
		n [6]int
	}
	passed struct {
		n   [2]int
		buf []byte
		p   *int
	}
	boxed [3]*int
)

func (r *receiver) size() int { return len(r.buf) }

type key struct{ n int }

type list[T any] struct {
	head *cell[T]
}

type cell[T any] struct {
	value T
	next  *cell[T]
}

var (
	value, ref func() int
	method     func() int
	gate       = make(chan *sender)
	picked     = make(chan *selecting)
	never      = make(chan int)
	mutex      sync.Mutex
	group      sync.WaitGroup
	after      *time.Timer
	tick       *time.Ticker
	all        sync.Map
	ctx        context.Context
	pointer    atomic.Pointer[atomically]
	watched    *finalized
	pool, back sync.Pool
	mirror     reflect.Value
	lines      = make(chan *queued, 4)
	pair       any
	words      list[string]
	said       sync.WaitGroup
)

var sink any

// heap has its object on the heap, whatever becomes of it; it holds it for a moment.
//
//go:noinline
func heap[T any](p *T) *T {
	sink = p
	sink = nil
	return p
}

func typed(p unsafe.Pointer, name, what string) {
	truth.Say("typed", truth.Keys{"address": truth.At(p), "type": name, "what": what})
}

func some() []byte { return make([]byte, 1500) }

//go:noinline
func closures() {
	v := &byValue{buf: some()}
	typed(unsafe.Pointer(v), "main.byValue", "captured by value")
	typed(unsafe.Pointer(&v.buf[0]), "[]uint8", "of what is captured by value")
	value = func() int { return len(v.buf) }
	r := &byRef{buf: some()}
	ref = func() int { r = &byRef{buf: some()}; return len(r.buf) }
	ref()
	typed(unsafe.Pointer(r), "main.byRef", "captured by reference")
	m := &receiver{buf: some()}
	method = m.size
	typed(unsafe.Pointer(m), "main.receiver", "receiver of a method value")
}

//go:noinline
func deferring() {
	d := heap(&inDefer{buf: some()})
	typed(unsafe.Pointer(d), "main.inDefer", "captured by a deferred closure")
	defer func() { d.n++ }()
	said.Done()
	<-never
}

//go:noinline
func passing() {
	it := back.Get().(*passed)
	it.n[0] = 0
	defer back.Put(it)
	said.Done()
	<-never
}

//go:noinline
func sending() {
	s := heap(&sender{buf: some()})
	typed(unsafe.Pointer(s), "main.sender", "sent to a channel that nobody reads")
	said.Done()
	gate <- s
}

//go:noinline
func choosing() {
	s := heap(&selecting{buf: some()})
	typed(unsafe.Pointer(s), "main.selecting", "sent by select")
	said.Done()
	select {
	case picked <- s:
	case <-never:
	}
}

//go:noinline
func locking() {
	it := heap(&onMutex{buf: some()})
	typed(unsafe.Pointer(it), "main.onMutex", "on a stack that waits for a mutex")
	said.Done()
	mutex.Lock()
	it.n++
}

//go:noinline
func waiting() {
	it := heap(&onGroup{buf: some()})
	typed(unsafe.Pointer(it), "main.onGroup", "on a stack that waits for a group")
	said.Done()
	group.Wait()
	it.n[0]++
}

// local holds by a map that is on the stack alone.
//
//go:noinline
func local() {
	own := map[int]*inLocal{}
	for i := 0; i < 30; i++ {
		own[i] = &inLocal{s: "s"}
	}
	typed(unsafe.Pointer(own[7]), "main.inLocal", "in a map on a stack")
	said.Done()
	<-never
	own[1].n[0] = len(own)
}

//go:noinline
func library() {
	it := &onTimer{buf: some()}
	typed(unsafe.Pointer(it), "main.onTimer", "captured by a timer's function")
	after = time.AfterFunc(time.Hour, func() { it.buf[0]++ })
	typed(unsafe.Pointer(after), "time.Timer", "timer")
	tick = time.NewTicker(time.Hour)
	typed(unsafe.Pointer(tick), "time.Ticker", "ticker")

	for i := 0; i < 40; i++ {
		k, v := &inMap{s: "k"}, &inMap{s: "v"}
		all.Store(k, v)
		if i == 20 {
			typed(unsafe.Pointer(k), "main.inMap", "key of a sync.Map")
			typed(unsafe.Pointer(v), "main.inMap", "value of a sync.Map")
		}
	}
	c := &inContext{s: "c"}
	typed(unsafe.Pointer(c), "main.inContext", "value of a context")
	ctx = context.WithValue(context.WithValue(context.Background(), key{1}, c), key{2}, "x")

	pointer.Store(&atomically{buf: some()})
	typed(unsafe.Pointer(pointer.Load()), "main.atomically", "by an atomic.Pointer")

	watched = &finalized{n: 1}
	log := &logged{buf: some()}
	typed(unsafe.Pointer(log), "main.logged", "captured by a finalizer")
	runtime.SetFinalizer(watched, func(f *finalized) { log.buf[0] += byte(f.n) })

	m := &reflected{s: "m"}
	typed(unsafe.Pointer(m), "main.reflected", "by a reflect.Value")
	mirror = reflect.ValueOf(m).Elem()

	q := &queued{s: "q"}
	typed(unsafe.Pointer(q), "main.queued", "in a channel's buffer")
	lines <- q

	b := &boxed{new(int)}
	typed(unsafe.Pointer(b), "main.boxed", "in an interface")
	pair = b

	for i := 0; i < 5; i++ {
		words.head = &cell[string]{value: "b", next: words.head}
	}
	typed(unsafe.Pointer(words.head.next), "main.cell[string]", "of a generic type")
}

func main() {
	mutex.Lock()
	group.Add(1)
	closures()
	library()
	code()
	later()
	holders := []func(){deferring, passing, sending, choosing, locking, waiting, local}
	said.Add(len(holders))
	back.New = func() any {
		it := heap(&passed{buf: some()})
		typed(unsafe.Pointer(it), "main.passed", "passed to a deferred call")
		return it
	}
	for _, f := range holders {
		go f()
	}
	said.Wait()
	time.Sleep(50 * time.Millisecond)
	truth.Settle()
	p := &pooled{buf: some()}
	typed(unsafe.Pointer(p), "main.pooled", "in a sync.Pool")
	pool.Put(p)
	p = nil
	truth.Ready()
	truth.Beat()
}
