// Package truth lets a victim say what an analyser must find in it: one JSON object a line on stdout, each with a
// "truth" that names its kind, and "ready" at last. From the count of the heap on, the victim allocates nothing.
package truth

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Keys are what a truth says beside its kind.
type Keys map[string]any

// Say prints a truth.
func Say(kind string, keys Keys) {
	all := Keys{"truth": kind}
	for k, v := range keys {
		all[k] = v
	}
	line, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(append(line, '\n'))
}

// At gives an address as text, which holds nothing.
func At(p unsafe.Pointer) string {
	return Text(uintptr(p))
}

// Text is the same of a number.
func Text(address uintptr) string {
	return "0x" + strconv.FormatUint(uint64(address), 16)
}

// Why says that root leads to the object at p, by way of via, in this order.
func Why(p unsafe.Pointer, root string, via ...string) {
	Say("why", Keys{"address": At(p), "root": root, "via": append([]string{}, via...)})
}

// WhyKind is Why for a root that must be of one kind.
func WhyKind(p unsafe.Pointer, kind, root string, via ...string) {
	Say("why", Keys{"address": At(p), "root": root, "root_kind": kind, "via": append([]string{}, via...)})
}

// NamedSince gives via where the debug information or the runtime of this Go release (1.x) can name it, else nothing.
func NamedSince(x int, via ...string) []string {
	parts := strings.Split(runtime.Version(), ".")
	if len(parts) > 1 && parts[0] == "go1" {
		if minor, err := strconv.Atoi(parts[1]); err == nil && minor < x {
			return nil
		}
	}
	return via
}

// Live says that the object at p is reachable, by whatever.
func Live(p unsafe.Pointer) { Say("live", Keys{"address": At(p)}) }

// Garbage says that nothing reaches the object at p.
func Garbage(p unsafe.Pointer) { Say("unreachable", Keys{"address": At(p)}) }

// Type says what the object that starts at p is.
func Type(p unsafe.Pointer, name string, size int) {
	Say("type", Keys{"address": At(p), "type": name, "size": size})
}

// Settle lets what was started come to rest, collects, and turns the collector off: the heap stays as it is said to be.
func Settle() {
	time.Sleep(150 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(-1)
}

var (
	stats runtime.MemStats
	line  [256]byte
)

// Ready prints the count of the heap, as the runtime has it, and that all is said.
func Ready() {
	pid := os.Getpid()
	version := runtime.Version()
	runtime.ReadMemStats(&stats)
	b := append(line[:0], `{"truth":"heap","go":"`...)
	b = append(b, version...)
	b = append(b, `","objects":`...)
	b = strconv.AppendUint(b, stats.HeapObjects, 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendUint(b, stats.HeapAlloc, 10)
	b = append(b, "}\n{\"truth\":\"ready\",\"pid\":"...)
	b = strconv.AppendInt(b, int64(pid), 10)
	b = append(b, "}\n"...)
	syscall.Write(1, b)
}

// Beat writes a dot on stderr every 10 ms, for ever: who counts them sees whether the process runs.
func Beat() {
	dot := []byte{'.'}
	for {
		time.Sleep(10 * time.Millisecond)
		syscall.Write(2, dot)
	}
}

var room [32 << 10]byte

func appendNumber(b []byte, key string, n uint64) []byte {
	b = append(b, `,"`...)
	b = append(b, key...)
	b = append(b, `":`...)
	return strconv.AppendUint(b, n, 10)
}

// Stats is Ready with all of MemStats as one more truth.
func Stats() {
	pid := os.Getpid()
	for i := 0; i < 30; i++ { // each may start a thread, until there are enough
		runtime.ReadMemStats(&stats)
		time.Sleep(time.Millisecond)
	}
	runtime.ReadMemStats(&stats)
	b := append(room[:0], `{"truth":"memstats"`...)
	b = appendNumber(b, "Alloc", stats.Alloc)
	b = appendNumber(b, "TotalAlloc", stats.TotalAlloc)
	b = appendNumber(b, "Sys", stats.Sys)
	b = appendNumber(b, "Lookups", stats.Lookups)
	b = appendNumber(b, "Mallocs", stats.Mallocs)
	b = appendNumber(b, "Frees", stats.Frees)
	b = appendNumber(b, "HeapAlloc", stats.HeapAlloc)
	b = appendNumber(b, "HeapSys", stats.HeapSys)
	b = appendNumber(b, "HeapIdle", stats.HeapIdle)
	b = appendNumber(b, "HeapInuse", stats.HeapInuse)
	b = appendNumber(b, "HeapReleased", stats.HeapReleased)
	b = appendNumber(b, "HeapObjects", stats.HeapObjects)
	b = appendNumber(b, "StackInuse", stats.StackInuse)
	b = appendNumber(b, "StackSys", stats.StackSys)
	b = appendNumber(b, "MSpanInuse", stats.MSpanInuse)
	b = appendNumber(b, "MSpanSys", stats.MSpanSys)
	b = appendNumber(b, "MCacheInuse", stats.MCacheInuse)
	b = appendNumber(b, "MCacheSys", stats.MCacheSys)
	b = appendNumber(b, "BuckHashSys", stats.BuckHashSys)
	b = appendNumber(b, "GCSys", stats.GCSys)
	b = appendNumber(b, "OtherSys", stats.OtherSys)
	b = appendNumber(b, "NextGC", stats.NextGC)
	b = appendNumber(b, "LastGC", stats.LastGC)
	b = appendNumber(b, "PauseTotalNs", stats.PauseTotalNs)
	b = appendNumber(b, "NumGC", uint64(stats.NumGC))
	b = appendNumber(b, "NumForcedGC", uint64(stats.NumForcedGC))
	b = append(b, `,"GCCPUFraction":`...)
	b = strconv.AppendFloat(b, stats.GCCPUFraction, 'g', -1, 64)
	b = append(b, `,"EnableGC":`...)
	b = strconv.AppendBool(b, stats.EnableGC)
	b = append(b, `,"PauseNs":[`...)
	for i := uint32(0); i < stats.NumGC && i < 256; i++ { // the latest first
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, stats.PauseNs[(stats.NumGC-i+255)%256], 10)
	}
	b = append(b, `],"BySize":[`...)
	for i := range stats.BySize {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = strconv.AppendUint(b, uint64(stats.BySize[i].Size), 10)
		b = append(b, ',')
		b = strconv.AppendUint(b, stats.BySize[i].Mallocs, 10)
		b = append(b, ',')
		b = strconv.AppendUint(b, stats.BySize[i].Frees, 10)
		b = append(b, ']')
	}
	b = append(b, "]}\n{\"truth\":\"ready\",\"pid\":"...)
	b = strconv.AppendInt(b, int64(pid), 10)
	b = append(b, "}\n"...)
	syscall.Write(1, b)
}
