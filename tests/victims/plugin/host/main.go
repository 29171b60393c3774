// host: opens a plugin (its argument): two modules of Go code in one process.
package main

import (
	"os"
	"plugin"
	"time"
	"unsafe"

	"victims/internal/truth"
)

var own = make([]byte, 5000)

func main() {
	p, err := plugin.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	keep, err := p.Lookup("Keep")
	if err != nil {
		panic(err)
	}
	held := unsafe.Pointer(keep.(func(string, int) *byte)("first", 6000))
	truth.Live(held)
	truth.Why(unsafe.Pointer(&own[0]), "main.own")
	held = nil
	time.Sleep(50 * time.Millisecond)
	truth.Settle()
	truth.Ready()
	truth.Beat()
}
