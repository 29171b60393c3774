// webpool: an HTTP server that answers out of pooled buffers, and what keeps it busy.
//
//	webpool serve            says its address, answers until it is ended
//	webpool load ADDR N      asks from N connections until its standard input ends; then says what it saw
//
// The pool's constructor makes buffers of 256 KiB where answers take 2 KiB: newSmall is the cure. Each answer carries a
// sum of itself, so that one which was mixed up with another does not go unseen.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"victims/internal/truth"
)

type buffer struct {
	body bytes.Buffer
	from string
}

//go:noinline
func newHuge() any {
	b := &buffer{from: "huge"}
	b.body = *bytes.NewBuffer(make([]byte, 0, 256<<10))
	return b
}

//go:noinline
func newSmall() any {
	b := &buffer{from: "small"}
	b.body = *bytes.NewBuffer(make([]byte, 0, 512))
	return b
}

var (
	pool  = sync.Pool{New: newHuge}
	keep  = []func() any{newHuge, newSmall}
	huge  atomic.Int64 // buffers given out, by who made them
	small atomic.Int64
	junk  atomic.Pointer[[]byte]
)

func answer(w http.ResponseWriter, r *http.Request) {
	b := pool.Get().(*buffer)
	if b.from == "huge" {
		huge.Add(1)
	} else {
		small.Add(1)
	}
	waste := make([]byte, 32<<10) // so that the collector has something to do
	junk.Store(&waste)
	b.body.Reset()
	for i := 0; b.body.Len() < 2<<10; i++ {
		fmt.Fprintf(&b.body, "%s line %d of an answer\n", r.URL.Path, i)
	}
	w.Header().Set("X-Sum", strconv.FormatUint(uint64(crc32.ChecksumIEEE(b.body.Bytes())), 16))
	w.Write(b.body.Bytes())
	if r.URL.Query().Get("keep") == "" { // every tenth answer's buffer is not put back, so that new ones are made
		pool.Put(b)
	}
}

func counts(w http.ResponseWriter, _ *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	json.NewEncoder(w).Encode(map[string]any{"huge": huge.Load(), "small": small.Load(), "collections": m.NumGC,
		"heap": m.HeapAlloc})
}

func serve() error {
	debug.SetGCPercent(20)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	http.HandleFunc("/counts", counts)
	http.HandleFunc("/", answer)
	truth.Say("server", truth.Keys{"address": listener.Addr().String(), "pool": truth.At(unsafe.Pointer(&pool))})
	truth.Say("ready", truth.Keys{"pid": os.Getpid()})
	go truth.Beat()
	return http.Serve(listener, nil)
}

// ---- load ----

type seen struct {
	took          []time.Duration
	lost, damaged int
}

func ask(client *http.Client, url string, s *seen) {
	start := time.Now()
	response, err := client.Get(url)
	if err != nil {
		s.lost++
		return
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	s.took = append(s.took, time.Since(start))
	sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 16)
	if err != nil || response.StatusCode != 200 {
		s.lost++
	} else if sum != response.Header.Get("X-Sum") {
		s.damaged++
	}
}

func load(addr string, n int) {
	var (
		group sync.WaitGroup
		all   = make([]seen, n)
		end   atomic.Bool
	)
	for i := range all {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
			for k := 0; !end.Load(); k++ {
				query := ""
				if k%10 == 0 {
					query = "?keep=1"
				}
				ask(client, "http://"+addr+"/"+strconv.Itoa(i*1000+k%1000)+query, &all[i])
				time.Sleep(500 * time.Microsecond)
			}
		}(i)
	}
	io.Copy(io.Discard, bufio.NewReader(os.Stdin))
	end.Store(true)
	group.Wait()
	var took []time.Duration
	lost, damaged := 0, 0
	for _, s := range all {
		took, lost, damaged = append(took, s.took...), lost+s.lost, damaged+s.damaged
	}
	sort.Slice(took, func(a, b int) bool { return took[a] < took[b] })
	at := func(share float64) float64 {
		if len(took) == 0 {
			return 0
		}
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"answers": len(took), "lost": lost, "damaged": damaged,
		"p50_ms": at(0.5), "p99_ms": at(0.99), "p999_ms": at(0.999), "max_ms": at(1)})
}

func main() {
	runtime.KeepAlive(keep)
	if len(os.Args) == 4 && os.Args[1] == "load" {
		n, err := strconv.Atoi(os.Args[3])
		if err == nil && n > 0 {
			load(os.Args[2], n)
			return
		}
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "webpool:", err)
		os.Exit(1)
	}
}
