// scale N: N million objects of a few kinds, for speed, memory and pause. A byte on stdin makes it become another program.
package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"

	"victims/internal/truth"
)

// A record is 64 bytes with three pointers; every second one has a body, every fourth a name.
type record struct {
	id   int
	next *record
	name *string
	body []byte
	pad  [1]int
}

var (
	buckets [1024][]*record
	index   = map[int]*record{}
)

//go:noinline
func add(i int, last *record) *record {
	r := &record{id: i, next: last}
	if i%2 == 0 {
		r.body = make([]byte, 48)
	}
	if i%4 == 0 {
		name := strconv.Itoa(i)
		r.name = &name
	}
	if i%64 == 0 {
		index[i] = r
	}
	b := &buckets[i%len(buckets)]
	*b = append(*b, r)
	return r
}

// become replaces the program, in the middle of whatever looks at it.
func become() {
	var b [1]byte
	if n, err := os.Stdin.Read(b[:]); n == 1 && err == nil {
		syscall.Exec("/bin/sleep", []string{"sleep", "1000"}, nil)
	}
}

func main() {
	millions := 1.0
	if len(os.Args) > 1 {
		v, err := strconv.ParseFloat(os.Args[1], 64)
		if err != nil {
			os.Stderr.WriteString("scale: how many million objects?\n")
			os.Exit(2)
		}
		millions = v
	}
	var last *record
	for i := 0; float64(i) < millions*1e6/2; i++ { // a record is two objects, on average
		last = add(i, last)
		if i%1000 == 0 {
			last = nil
		}
	}
	runtime.KeepAlive(last)
	go become()
	truth.Settle()
	truth.Ready()
	truth.Beat()
}
