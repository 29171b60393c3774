// switched: a program whose heap profile and collector's pace are changed from outside. It keeps 16 MiB, fills a pool,
// and, but for `quiet`, goes on to allocate; every 20 ms it says what its runtime says of itself. SIGUSR1: it collects.
// RATE in the environment is its rate of samples. Nothing in it uses the profile, unless it is built with -tags profile.
package main

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"victims/internal/truth"
)

type item struct{ bytes [64 << 10]byte }

var (
	kept = make([][]byte, 0, 256)
	ring [64]*[4096]byte
	pool = sync.Pool{New: func() any { return new(item) }}
)

func init() {
	if rate, err := strconv.Atoi(os.Getenv("RATE")); err == nil {
		runtime.MemProfileRate = rate
	}
}

//go:noinline
func allocate(n int) { ring[n%len(ring)] = new([4096]byte) }

func fill() {
	var out [8]*item
	for i := range out {
		out[i] = pool.Get().(*item)
	}
	for _, i := range out {
		pool.Put(i)
	}
}

func collectOnSignal() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1)
	for range signals {
		runtime.GC()
	}
}

func say() {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	truth.Say("now", truth.Keys{"next_gc": stats.NextGC, "num_gc": stats.NumGC, "rate": runtime.MemProfileRate,
		"buckets": stats.BuckHashSys})
}

func main() {
	go truth.Beat()
	go collectOnSignal()
	for i := 0; i < cap(kept); i++ {
		kept = append(kept, make([]byte, 64<<10))
	}
	runtime.GC()
	fill()
	if len(os.Args) > 1 && os.Args[1] == "busy" {
		go func() {
			for {
			}
		}()
	}
	quiet := len(os.Args) > 1 && os.Args[1] == "quiet"
	truth.Ready()
	for n := 0; ; n++ {
		for i := 0; i < 200 && !quiet; i++ {
			allocate(i)
		}
		if !quiet || n%50 == 0 {
			say()
		}
		time.Sleep(20 * time.Millisecond)
	}
}
