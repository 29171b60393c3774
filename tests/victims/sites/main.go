// Command sites allocates in known places, known numbers of objects of known sizes, and frees some of them. What the
// runtime's own profile says of each place is a truth, too, and so are its MemStats: then it stands still.
//
//	sites [RATE]    runtime.MemProfileRate; 1, every object, by default; "default" leaves it alone
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"victims/internal/truth"
)

type record struct {
	Name  string
	Next  *record
	Bytes [80]byte
}

var (
	kept    [][]byte
	records []*record
	views   []*record
	tiny    []*uint16
	big     [][]byte
	sink    *record
)

//go:noinline
func keepBuffers(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, make([]byte, 1000)) // keepBuffers
	}
}

//go:noinline
func makeRecord() *record {
	return &record{Name: "r"} // makeRecord
}

// Two ways to one place.
//
//go:noinline
func keepRecords(n int) {
	for i := 0; i < n; i++ {
		records = append(records, makeRecord())
	}
}

//go:noinline
func keepViews(n int) {
	for i := 0; i < n; i++ {
		views = append(views, makeRecord())
	}
}

//go:noinline
func dropRecords(n int) {
	for i := 0; i < n; i++ {
		sink = &record{Name: "gone"} // dropRecords
	}
	sink = nil
}

//go:noinline
func keepTiny(n int) {
	for i := 0; i < n; i++ {
		tiny = append(tiny, new(uint16)) // keepTiny
	}
}

//go:noinline
func keepBig(n int) {
	for i := 0; i < n; i++ {
		big = append(big, make([]byte, 1<<20)) // keepBig
	}
}

// inlined is part of its caller, and still the place.
func inlined() *record { return &record{Name: "i"} } // inlined

//go:noinline
func keepInlined(n int) {
	for i := 0; i < n; i++ {
		records = append(records, inlined())
	}
}

// site is what the runtime's profile says of one function of ours.
type site struct{ allocs, allocBytes, inUse, inUseBytes int64 }

// Exact figures, where every object is a sample.
func sayProfile() {
	n, _ := runtime.MemProfile(nil, true)
	list := make([]runtime.MemProfileRecord, n+100)
	n, ok := runtime.MemProfile(list, true)
	if !ok {
		panic("the profile grows")
	}
	found := map[string]*site{}
	for _, r := range list[:n] {
		frames := runtime.CallersFrames(r.Stack())
		for {
			frame, more := frames.Next()
			if !strings.HasPrefix(frame.Function, "runtime.") && !strings.HasPrefix(frame.Function, "internal/runtime/") {
				key := fmt.Sprintf("%s:%d", frame.Function, frame.Line)
				if found[key] == nil {
					found[key] = &site{}
				}
				s := found[key]
				s.allocs, s.allocBytes = s.allocs+r.AllocObjects, s.allocBytes+r.AllocBytes
				s.inUse, s.inUseBytes = s.inUse+r.InUseObjects(), s.inUseBytes+r.InUseBytes()
				break
			}
			if !more {
				break
			}
		}
	}
	for key, s := range found {
		function, line := key[:strings.LastIndex(key, ":")], key[strings.LastIndex(key, ":")+1:]
		switch function {
		case "main.keepBuffers", "main.makeRecord", "main.dropRecords", "main.keepTiny", "main.keepBig", "main.inlined":
			truth.Say("site", truth.Keys{"function": function, "line": line, "allocs": s.allocs, "alloc_bytes": s.allocBytes,
				"count": s.inUse, "bytes": s.inUseBytes})
		}
	}
}

func main() {
	rate := 1
	if len(os.Args) > 1 && os.Args[1] != "default" {
		rate, _ = strconv.Atoi(os.Args[1])
	}
	if len(os.Args) < 2 || os.Args[1] != "default" {
		runtime.MemProfileRate = rate
	}
	keepBuffers(2000)
	keepRecords(300)
	keepViews(700)
	dropRecords(4000)
	keepTiny(1000)
	keepBig(20)
	keepInlined(50)
	big = append([][]byte(nil), big[:12]...)
	for i := range kept[:500] {
		kept[i] = nil
	}
	time.Sleep(150 * time.Millisecond)
	for i := 0; i < 3; i++ { // the profile is of the last collection but one
		debug.FreeOSMemory()
	}
	truth.Say("rate", truth.Keys{"rate": runtime.MemProfileRate})
	sayProfile()
	truth.Say("allocated", truth.Keys{"address": truth.At(unsafe.Pointer(&kept[1000][0])), "function": "main.keepBuffers", "callers": []string{"main.main"}})
	truth.Say("allocated", truth.Keys{"address": truth.At(unsafe.Pointer(records[0])), "function": "main.makeRecord", "callers": []string{"main.keepRecords", "main.main"}})
	truth.Say("allocated", truth.Keys{"address": truth.At(unsafe.Pointer(views[0])), "function": "main.makeRecord", "callers": []string{"main.keepViews", "main.main"}})
	truth.Say("allocated", truth.Keys{"address": truth.At(unsafe.Pointer(records[320])), "function": "main.inlined", "callers": []string{"main.keepInlined", "main.main"}})
	truth.Say("allocated", truth.Keys{"address": truth.At(unsafe.Pointer(&big[3][0])), "function": "main.keepBig", "callers": []string{"main.main"}})
	truth.Stats()
	time.Sleep(time.Hour)
}
