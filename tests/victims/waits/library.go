package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ---- leaked -----------------------------------------------------------------------------------------------------------

//go:noinline
func contextLost(ctx context.Context) { l := newLoad(); <-ctx.Done(); l.use() }

//go:noinline
func pipeLost(r *io.PipeReader) {
	l := newLoad()
	r.Read(l.bytes)
	l.use()
}

//go:noinline
func labelledLost(c chan int) { l := newLoad(); <-c; l.use() }

//go:noinline
func startLabelled(c chan int, tenant string) {
	pprof.Do(context.Background(), pprof.Labels("handler", "/api/orders", "tenant", tenant), func(context.Context) {
		go labelledLost(c)
	})
}

//go:noinline
func leakLibrary() {
	c := make(chan int)
	for i := 0; i < each; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		go contextLost(ctx)
		_ = cancel
		r, _ := io.Pipe()
		go pipeLost(r)
		startLabelled(c, "t"+strconv.Itoa(i%2))
	}
	leaked("main.contextLost", "chan receive")
	leaked("main.pipeLost", "select")
	leaked("main.labelledLost", "chan receive")
}

// ---- alive ---------------------------------------------------------------------------------------------------------------

var (
	globalContext, globalCancel = context.WithCancel(context.Background())
	finalized                   []*load
	files                       []*os.File
)

//go:noinline
func contextOfGlobal(ctx context.Context) { l := newLoad(); <-ctx.Done(); l.use() }

//go:noinline
func contextWithTimeout(ctx context.Context) { l := newLoad(); <-ctx.Done(); l.use() }

//go:noinline
func waitForTimer() { l := newLoad(); <-time.After(time.Hour); l.use() }

//go:noinline
func selectTimer(c chan int) {
	l := newLoad()
	select {
	case <-c:
	case <-time.After(time.Hour):
	}
	l.use()
}

//go:noinline
func waitForTicker(t *time.Ticker) {
	l := newLoad()
	for range t.C {
		l.use()
	}
}

//go:noinline
func waitForClosure(c chan int) { l := newLoad(); <-c; l.use() }

//go:noinline
func waitForFinalizer(c chan int) { l := newLoad(); <-c; l.use() }

//go:noinline
func waitForSignal(c chan os.Signal) { l := newLoad(); <-c; l.use() }

//go:noinline
func waitForFile(f *os.File) {
	l := newLoad()
	f.Read(l.bytes)
	l.use()
}

//go:noinline
func wakeLibrary() {
	for i := 0; i < each; i++ {
		ctx, cancel := context.WithCancel(globalContext)
		go contextOfGlobal(ctx)
		_ = cancel
		ctx, cancel = context.WithTimeout(context.Background(), time.Hour)
		go contextWithTimeout(ctx)
		_ = cancel
		go waitForTimer()
		go selectTimer(make(chan int))
		go waitForTicker(time.NewTicker(time.Hour))
		c := make(chan int)
		time.AfterFunc(time.Hour, func() { close(c) })
		go waitForClosure(c)
		f := make(chan int)
		finalized = append(finalized, newLoad())
		runtime.SetFinalizer(finalized[i], func(*load) { close(f) })
		go waitForFinalizer(f)
		s := make(chan os.Signal, 1)
		signal.Notify(s, syscall.SIGUSR2)
		go waitForSignal(s)
		r, w, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		files = append(files, w)
		go waitForFile(r)
	}
	alive("main.contextOfGlobal", "chan receive")
	alive("main.contextWithTimeout", "chan receive")
	alive("main.waitForTimer", "chan receive")
	alive("main.selectTimer", "select")
	alive("main.waitForTicker", "chan receive")
	alive("main.waitForClosure", "chan receive")
	alive("main.waitForFinalizer", "chan receive")
	alive("main.waitForSignal", "chan receive")
	alive("main.waitForFile", "IO wait")
}

// ---- what the runtime says itself ------------------------------------------------------------------------------------

// profile counts the goroutines that the runtime calls leaked by their outermost function; nil where it has no such profile.
//
//go:noinline
func profile() map[string]int {
	p := pprof.Lookup("goroutineleak")
	if p == nil {
		return nil
	}
	var text bytes.Buffer
	if err := p.WriteTo(&text, 1); err != nil {
		panic(err)
	}
	counts := map[string]int{}
	for _, record := range strings.Split(text.String(), "\n\n") {
		lines, n, function := strings.Split(record, "\n"), 0, ""
		for _, line := range lines {
			words := strings.Fields(line)
			if len(words) > 1 && words[1] == "@" {
				n, _ = strconv.Atoi(words[0])
			} else if len(words) > 2 && strings.HasPrefix(words[1], "0x") && !strings.HasPrefix(words[2], "runtime.") && !strings.Contains(words[2], ".gowrap") {
				function = words[2][:strings.LastIndex(words[2], "+")]
			}
		}
		if function != "" {
			counts[function] += n
		}
	}
	return counts
}
