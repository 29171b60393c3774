// pools: the ways in which a Go program has pools, and what goes wrong with them: a huge buffer that was put back, items
// that are held although they were put back, or put back twice, pools that were dropped with what is in them.
package main

import (
	"runtime"
	"sync"
	"time"
	"unsafe"

	"victims/internal/truth"
)

// A buffer is what most of the pools have.
type buffer struct {
	b []byte
	n int
}

func newBuffer(n int) *buffer { return &buffer{b: make([]byte, n), n: n} }

//go:noinline
func newSmall() any { return newBuffer(1 << 10) }

//go:noinline
func newLarge() any { return newBuffer(64 << 10) }

// ---- pools in variables

var (
	outlier   = sync.Pool{New: newLarge}  // one of 8 MiB was put back
	pointed   = &sync.Pool{New: newSmall} // the compiler lays it out under a name of its own
	listed    = []*sync.Pool{{New: newSmall}, {New: newLarge}}
	noNew     sync.Pool
	neverUsed = sync.Pool{New: newSmall}
	drained   sync.Pool
	victims   = sync.Pool{New: newSmall}
	values    sync.Pool // of slices, not of pointers to them
	thousands sync.Pool
	common    sync.Pool // its items all lead to one table
	apart     [2]sync.Pool
	nested    struct {
		id   int
		pool [3]sync.Pool
	}
	ints typed[int64]
)

// typed is how one wraps a pool.
type typed[T any] struct {
	id int
	p  sync.Pool
}

func (t *typed[T]) put(v *T) { t.p.Put(v) }

// ---- pools in objects

type server struct {
	name string
	bufs sync.Pool
}

func (s *server) newBuf() any { return newBuffer(len(s.name)) }

// A conn has its pool first, and embedded.
type conn struct {
	sync.Pool
	id int
}

// A proxy points to its pool.
type proxy struct {
	id   int
	bufs *sync.Pool
}

// A dropped is dropped with its pool.
type dropped struct {
	id   int
	pool sync.Pool
}

var (
	servers = map[string]*server{}
	conns   []*conn
	theConn *conn
	proxies [2]*proxy
	byName  = map[string]*sync.Pool{}
	bySize  []sync.Pool
	getBuf  func() *buffer
)

// newGetter makes a function that alone knows its pool.
//
//go:noinline
func newGetter() func() *buffer {
	pool := &sync.Pool{New: newSmall}
	fill(pool, 6, 512)
	return func() *buffer {
		b := pool.Get().(*buffer)
		b.n++
		return b
	}
}

// ---- what is out

// A session is out of two pools.
type session struct {
	id   int
	data [200]byte
	next *session
}

var (
	sessions, others sync.Pool
	open             = map[int]*session{}
	leave            = make(chan bool)
)

//go:noinline
func serve(s *session, started chan<- bool) {
	started <- true
	<-leave
	s.id++
}

// A ticket is never put back.
type ticket struct {
	id   int
	text [100]byte
}

//go:noinline
func newTicket() any { return new(ticket) }

var (
	taken   = sync.Pool{New: newTicket}
	tickets []*ticket
)

// A kept is put back and kept.
type kept struct {
	id   int
	more []byte
}

var (
	misused sync.Pool
	keep    []*kept
)

// A row leads to a table that others lead to, too.
type row struct {
	id    int
	table []byte
}

//go:noinline
func fill(p *sync.Pool, n, size int) {
	for i := 0; i < n; i++ {
		p.Put(newBuffer(size))
	}
}

func say(p *sync.Pool, name string, idle int, keys truth.Keys) {
	all := truth.Keys{"name": name, "idle": idle, "count": 1, "constructor": nil}
	if p != nil {
		all["address"] = truth.At(unsafe.Pointer(p))
	}
	for k, v := range keys {
		all[k] = v
	}
	truth.Say("pool", all)
}

//go:noinline
func fillVariables() {
	fill(&outlier, 50, 64<<10)
	huge := newBuffer(8 << 20)
	outlier.Put(huge)
	say(&outlier, "main.outlier", 51, truth.Keys{"constructor": "main.newLarge", "item_type": "*main.buffer", "makes": "*main.buffer",
		"bytes": 8<<20 + 50*(64<<10) + 51*32, "largest": truth.At(unsafe.Pointer(huge)), "largest_bytes": 8<<20 + 32,
		"median_bytes": 64<<10 + 32})
	truth.Say("idle", truth.Keys{"address": truth.At(unsafe.Pointer(&huge.b[0])), "pool": "main.outlier"})

	fill(pointed, 3, 1<<10)
	say(pointed, "main.pointed", 3, truth.Keys{"constructor": "main.newSmall", "bytes": 3 * (1<<10 + 32)})
	fill(listed[0], 2, 1<<10)
	fill(listed[1], 4, 64<<10)
	say(listed[0], "main.listed[0]", 2, truth.Keys{"constructor": "main.newSmall", "bytes": 2 * (1<<10 + 32)})
	say(listed[1], "main.listed[1]", 4, truth.Keys{"constructor": "main.newLarge", "bytes": 4 * (64<<10 + 32)})

	fill(&noNew, 7, 1<<10)
	say(&noNew, "main.noNew", 7, truth.Keys{"bytes": 7 * (1<<10 + 32)})
	say(&neverUsed, "main.neverUsed", 0, truth.Keys{"constructor": "main.newSmall", "bytes": 0})

	for i := 0; i < 12; i++ {
		values.Put(make([]byte, 2<<10))
	}
	say(&values, "main.values", 12, truth.Keys{"item_type": "[]uint8", "bytes": 12 * (2<<10 + 24), "out": nil})
	fill(&thousands, 5000, 64)
	say(&thousands, "main.thousands", 5000, truth.Keys{"bytes": 5000 * (64 + 32), "item_type": "*main.buffer"})

	fill(&nested.pool[1], 2, 1<<10)
	say(&nested.pool[1], "main.nested.pool[1]", 2, truth.Keys{"bytes": 2 * (1<<10 + 32)})
	say(&nested.pool[2], "main.nested.pool[2]", 0, truth.Keys{"bytes": 0})
	ints.put(new(int64))
	say(&ints.p, "main.ints.p", 1, truth.Keys{"item_type": "*int64"})
}

//go:noinline
func fillShared() {
	table := make([]byte, 1<<20)
	for i := 0; i < 4; i++ {
		common.Put(&row{id: i, table: table})
	}
	say(&common, "main.common", 4, truth.Keys{"bytes": 1<<20 + 4*32, "largest_bytes": 32})
	both := make([]byte, 2<<20)
	apart[0].Put(&row{table: both})
	apart[1].Put(&row{table: both})
	say(&apart[0], "main.apart[0]", 1, truth.Keys{"bytes": 32})
	say(&apart[1], "main.apart[1]", 1, truth.Keys{"bytes": 32})
	truth.Say("shared", truth.Keys{"bytes": 2 << 20})
}

//go:noinline
func fillObjects() {
	for i, name := range []string{"a", "b", "c"} {
		s := &server{name: name}
		s.bufs.New = s.newBuf
		fill(&s.bufs, 2+i, 4<<10)
		servers[name] = s
	}
	say(&servers["c"].bufs, "main.server.bufs", 9, truth.Keys{"count": 3, "constructor": "main.(*server).newBuf",
		"bytes": 9 * (4<<10 + 32), "held_by": "main.servers"})
	truth.Say("idle", truth.Keys{"address": truth.At(unsafe.Pointer(servers["b"])), "pool": nil})

	theConn = &conn{id: 1}
	theConn.Put(newBuffer(100))
	conns = append(conns, theConn, &conn{id: 2})
	say(&theConn.Pool, "main.conn.Pool", 1, truth.Keys{"count": 2})
	for i := range proxies {
		proxies[i] = &proxy{id: i, bufs: new(sync.Pool)}
		fill(proxies[i].bufs, 5, 300)
	}
	say(nil, "main.proxy.bufs", 10, truth.Keys{"count": 2, "held_by": "main.proxies"})

	byName["x"], byName["y"] = new(sync.Pool), new(sync.Pool)
	fill(byName["x"], 1, 1<<10)
	fill(byName["y"], 2, 1<<10)
	say(byName["y"], "main.byName[*]", 3, truth.Keys{"count": 2, "bytes": 3 * (1<<10 + 32)})
	bySize = make([]sync.Pool, 5)
	for i := range bySize {
		fill(&bySize[i], 1, 1<<(8+i))
	}
	say(&bySize[4], "main.bySize[*]", 5, truth.Keys{"count": 5, "bytes": 256 + 512 + 1024 + 2048 + 4096 + 5*32})
	getBuf = newGetter()
	getBuf().n++
	// DWARF says where since 1.23; up to 1.20 what the compiler makes for closures has names of its own.
	captured := ".pool"
	if truth.NamedSince(21, "") != nil && truth.NamedSince(23, "") == nil {
		captured = ".captured+8"
	}
	say(nil, "func main.newGetter.func1"+captured, 5, truth.Keys{"constructor": "main.newSmall"})
}

//go:noinline
func dropOne() {
	d := &dropped{id: 1}
	b := newBuffer(10 << 10)
	d.pool.Put(b)
	truth.Say("why", truth.Keys{"address": truth.At(unsafe.Pointer(&b.b[0])), "root": "sync.allPools", "via": []string{}})
	say(&d.pool, "sync.allPools", 1, truth.Keys{"held_by": "sync.allPools", "bytes": 10<<10 + 32})
}

//go:noinline
func giveOut() {
	for i := 0; i < 100; i++ {
		s := &session{id: i}
		s.next = &session{id: -i} // reached from the pool alone
		sessions.Put(s)
	}
	got := 0
	started := make(chan bool)
	for tries := 0; got < 35 && tries < 1000; tries++ {
		s, ok := sessions.Get().(*session)
		if !ok {
			runtime.Gosched()
			continue
		}
		s.next = nil
		got++
		if got <= 30 {
			open[got] = s
		} else {
			go serve(s, started)
			<-started
		}
	}
	others.Put(&session{})
	holders := map[string]int{"main.open": 30, "main.serve goroutines": 5}
	say(&sessions, "main.sessions", 65, truth.Keys{"item_type": "*main.session", "out": 35, "out_pools": 2,
		"holders": holders, "bytes": 130 * 224})
	say(&others, "main.others", 1, truth.Keys{"out": 35, "out_pools": 2, "holders": holders})

	for i := 0; i < 25; i++ {
		tickets = append(tickets, taken.Get().(*ticket))
	}
	say(&taken, "main.taken", 0, truth.Keys{"constructor": "main.newTicket", "makes": "*main.ticket", "out": 25,
		"out_pools": 1, "holders": map[string]int{"main.tickets": 25}})

	for i := 0; i < 10; i++ {
		k := &kept{id: i, more: make([]byte, 1<<10)}
		misused.Put(k)
		if i < 3 {
			keep = append(keep, k)
		}
		if i == 9 {
			misused.Put(k)
		}
	}
	say(&misused, "main.misused", 11, truth.Keys{"held": 3, "twice": 1, "out": 0, "bytes": 7 * (32 + 1<<10)})
}

// drain leaves what only another processor could take: mostly nothing.
//
//go:noinline
func drain() {
	fill(&drained, 10, 1<<10)
	left := 10
	for tries := 0; left > 0 && tries < 1000; tries++ {
		if drained.Get() != nil {
			left--
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	say(&drained, "main.drained", left, truth.Keys{"bytes": left * (32 + 1<<10)})
}

func main() {
	truth.Settle()
	fill(&victims, 20, 3<<10)
	runtime.GC()
	say(&victims, "main.victims", 20, truth.Keys{"victim": 20, "constructor": "main.newSmall", "bytes": 20 * (3<<10 + 32)})
	fillVariables()
	fillShared()
	fillObjects()
	dropOne()
	giveOut()
	drain()
	truth.Ready()
	truth.Beat()
}
