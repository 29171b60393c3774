// ctors: pools, and constructors to put into them: each says, in its `ctor` line, what a dry run must make of it.
// With an argument, goroutines keep the allocator and the collector busy.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"victims/internal/truth"
)

type Buf struct {
	data []byte
	from string
	tags map[string]int
	next any
	ptr  *Buf
}

type Empty struct{}

type Raw struct {
	p unsafe.Pointer
	n int
}

type Pair struct{ a, b int64 }

var (
	pool     = sync.Pool{New: newHuge}
	values   = sync.Pool{New: func() any { return Pair{1, 2} }}
	closures = sync.Pool{New: sized(64)}

	mu      sync.Mutex
	held    sync.Mutex
	once    sync.Once
	hits    atomic.Int64
	limit   = 128
	global  Buf
	old     = oldBuf()
	oldTags = map[string]int{"a": 1}
	ready   = make(chan int, 1)
	sink    []byte
	short   []byte
	names   fmt.Stringer = time.Second
)

//go:noinline
func newHuge() any { return &Buf{data: make([]byte, 512<<10)} }

// sized captures what it is given.
//
//go:noinline
func sized(n int) func() any { return func() any { return &Buf{data: make([]byte, n)} } }

//go:noinline
func oldBuf() *Buf { return &Buf{from: "old"} }

// ---- sound ones

func newInlinable() any { return &Buf{} }

//go:noinline
func newMap() any { return &Buf{tags: map[string]int{"one": 1, "two": 2}} }

//go:noinline
func newDeferring() (ret any) {
	defer func() { ret = &Buf{from: "deferred"} }()
	return nil
}

//go:noinline
func newDeferringInLoop() any {
	b := &Buf{}
	for i := 0; i < 3; i++ {
		defer func() { b.from = "loop" }()
	}
	return b
}

//go:noinline
func newLocking() any {
	mu.Lock()
	defer mu.Unlock()
	return &Buf{}
}

//go:noinline
func newReading() any { return &Buf{data: make([]byte, limit)} }

//go:noinline
func newTimed() any { return &Buf{data: make([]byte, time.Now().Nanosecond()&15)} }

//go:noinline
func newRandom() any { return &Buf{data: make([]byte, rand.Intn(16))} }

//go:noinline
func newBuilt() any {
	var b strings.Builder
	for i := 0; i < 20; i++ {
		b.WriteString("some text ")
	}
	return &Buf{from: b.String()}
}

//go:noinline
func newSwitching() any {
	if s, ok := any(names).(interface{ Nanoseconds() int64 }); ok {
		return &Buf{data: make([]byte, s.Nanoseconds()&7)}
	}
	return &Buf{}
}

//go:noinline
func newLinked() any { return &Buf{ptr: &Buf{ptr: &Buf{}}, next: &Buf{}} }

//go:noinline
func newChannel() any { return &Buf{next: make(chan int, 4)} }

//go:noinline
func newGrown() any {
	var d []byte
	for i := 0; i < 100; i++ {
		d = append(d, byte(i))
	}
	return &Buf{data: d}
}

//go:noinline
func newPooled() any {
	var p sync.Pool
	p.New = func() any { return new(int) }
	_ = p.Get()
	return &Buf{}
}

//go:noinline
func newDeep() any { return deep(200) }

//go:noinline
func deep(n int) any {
	var room [64]byte
	room[n%64] = byte(n)
	if n == 0 {
		return &Buf{}
	}
	b := deep(n - 1)
	sum(&room)
	return b
}

//go:noinline
func sum(room *[64]byte) (n int) {
	for _, b := range room {
		n += int(b)
	}
	return
}

// ---- unsound ones

//go:noinline
func newAtomic() any { hits.Add(1); return &Buf{} }

//go:noinline
func newOnce() any { once.Do(func() { limit = 128 }); return &Buf{} }

//go:noinline
func newGlobal() any { return &global }

//go:noinline
func newTiedToOld() any { return &Buf{ptr: old} }

//go:noinline
func newTiedToMap() any { return &Buf{tags: oldTags} }

//go:noinline
func newKept() any { old.ptr = &Buf{}; return &Buf{} }

//go:noinline
func newSending() any {
	select {
	case ready <- 1:
	default:
	}
	return &Buf{}
}

//go:noinline
func newHeld() any { held.Lock(); return &Buf{} }

//go:noinline
func newSleeping() any { time.Sleep(time.Microsecond); return &Buf{} }

//go:noinline
func newYielding() any { runtime.Gosched(); return &Buf{} }

//go:noinline
func newTimer() any { time.AfterFunc(time.Hour, func() {}); return &Buf{} }

//go:noinline
func newFinalized() any {
	b := &Buf{}
	runtime.SetFinalizer(b, func(*Buf) {})
	return b
}

//go:noinline
func newIndexing() any { return &Buf{data: short[:limit]} }

//go:noinline
func newFaulting() any {
	var b *Buf
	b.from = "nowhere"
	return b
}

//go:noinline
func newRecovering() any {
	defer func() { _ = recover() }()
	panic("not told")
}

//go:noinline
func newEndless() any { return endless(1) }

//go:noinline
func endless(n int) any {
	if n == 0 {
		return nil
	}
	return endless(n + 1)
}

//go:noinline
func newNil() any { return nil }

//go:noinline
func newNilPointer() any { return (*Buf)(nil) }

//go:noinline
func newPair() any { return Pair{3, 4} }

//go:noinline
func newEmpty() any { return &Empty{} }

//go:noinline
func newRaw() any { return &Raw{} }

//go:noinline
func newReflected() any { return reflect.MakeSlice(reflect.TypeOf([]int{}), 3, 3).Interface() }

//go:noinline
func newNoResult() { limit++ }

//go:noinline
func newInt() int { return 1 }

//go:noinline
func newTwo() (any, error) { return &Buf{}, nil }

//go:noinline
func newBuf() *Buf { return &Buf{} }

//go:noinline
func (b *Buf) New() any { return &Buf{from: b.from} }

func newGeneric[T any]() any { return new(T) }

var keep = []any{newInlinable, newMap, newDeferring, newDeferringInLoop, newLocking, newReading, newTimed, newRandom,
	newBuilt, newSwitching, newLinked, newChannel, newGrown, newPooled, newDeep, newAtomic, newOnce, newGlobal, newTiedToOld,
	newTiedToMap, newKept, newSending, newHeld, newSleeping, newYielding, newTimer, newFinalized, newIndexing, newFaulting,
	newRecovering, newEndless, newNil, newNilPointer, newPair, newEmpty, newRaw, newReflected, newNoResult, newInt, newTwo,
	newBuf, old.New, newGeneric[Buf]}

// What a dry run must say: by name, the reason; "" accepted.
var verdicts = map[string]string{
	"newInlinable": "", "newMap": "", "newDeferring": "", "newDeferringInLoop": "", "newReading": "",
	"newTimed": "", "newRandom": "", "newBuilt": "", "newSwitching": "", "newLinked": "", "newChannel": "", "newGrown": "",
	"newDeep": "", "newLocking": "",
	"newPooled": "side-effect", "newAtomic": "side-effect", "newOnce": "side-effect", "newGlobal": "retains", "newTiedToOld": "retains",
	"newTiedToMap": "retains", "newKept": "side-effect", "newSending": "side-effect", "newHeld": "blocks",
	"newSleeping": "blocks", "newYielding": "blocks", "newTimer": "side-effect", "newFinalized": "side-effect",
	"newIndexing": "fault", "newFaulting": "fault", "newRecovering": "fault", "newEndless": "fault",
	"newNil": "null", "newNilPointer": "null", "newPair": "type", "newEmpty": "type", "newRaw": "type",
	"newReflected": "forbidden-call", "newNoResult": "signature", "newInt": "signature", "newTwo": "signature",
	"newBuf": "signature", "(*Buf).New": "signature", "(*Buf).New-fm": "captures", "sized.func1": "captures",
}

type block struct {
	next *block
	data [6]int
}

func busy(n int) {
	var list *block
	for i := 0; ; i++ {
		list = &block{next: list}
		if i%10000 == 0 {
			list = nil
			sink = make([]byte, 1000+n)
		}
	}
}

func main() {
	if len(os.Args) > 1 {
		debug.SetGCPercent(10)
		for i := 0; i < 3; i++ {
			go busy(i)
		}
	}
	held.Lock()
	global.from = "global"
	if strings.HasPrefix(runtime.Version(), "go1.20") {
		verdicts["newRandom"] = "side-effect" // its generator stands in the heap
	}
	runtime.KeepAlive(keep)
	truth.Say("pool", truth.Keys{"name": "main.pool", "address": truth.At(unsafe.Pointer(&pool)), "constructor": "main.newHuge"})
	for name, reason := range verdicts {
		verdict := "accepted"
		if reason != "" {
			verdict = "refused"
		}
		truth.Say("ctor", truth.Keys{"pool": "main.pool", "name": "main." + name, "verdict": verdict, "reason": reason})
	}
	_ = rand.Intn(2)
	_ = newSwitching()
	go truth.Beat()
	truth.Say("ready", truth.Keys{"pid": os.Getpid()})
	for {
		b := pool.Get().(*Buf)
		pool.Put(b)
		values.Put(values.Get())
		closures.Put(closures.Get())
		time.Sleep(time.Millisecond)
	}
}
