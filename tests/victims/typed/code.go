package main

import (
	"unsafe"

	"victims/internal/truth"
)

// What only the code tells the type of.
type (
	trace []uintptr
	fault struct {
		text string
		at   *trace
		size int
	}
	large struct {
		head [1000]int64
		mid  int64
		tail [500]int32
	}
	board struct {
		rows [150]int64
		n    int32
	}
	wide struct {
		lines []string
		marks []mark
		next  *wide
		n     [2]int
	}
	mark struct {
		word string
		not  bool
	}
)

func (f *fault) Error() string { return f.text }

// Made while variables are initialised: numbers, which hold nothing.
var made []uintptr

//go:noinline
func capture(n int) *trace {
	t := make(trace, n, 40)
	made = append(made, uintptr(unsafe.Pointer(&t)), uintptr(unsafe.Pointer(&t[0])))
	return &t
}

//go:noinline
func remark(s string) string {
	t := s + " " + string(make([]byte, 100))
	made = append(made, uintptr(unsafe.Pointer(unsafe.StringData(t))))
	return t
}

// Nothing but their initialisation uses these: the linker drops the variables, and keeps what they lead to.
var (
	errGone error = &fault{text: "gone", at: capture(3)}
	errLost       = &fault{text: remark("lost"), at: capture(5), size: 1}
)

// The one pointer to each leads into it.
var within, at unsafe.Pointer

//go:noinline
func place() {
	within = unsafe.Pointer(&(&large{}).tail[3])
	at = unsafe.Pointer(new(board))
}

// keeper's function gets a copy of w, and makes another, which has an address.
//
//go:noinline
func keeper(words ...string) func() *wide {
	w := wide{n: [2]int{len(words), 1}}
	w.lines = make([]string, len(words))
	copy(w.lines, words)
	for _, word := range words {
		w.marks = append(w.marks, mark{word, true})
	}
	typed(unsafe.Pointer(&w.lines[0]), "[]string", "of what is captured by value and has its address taken")
	typed(unsafe.Pointer(&w.marks[0]), "[]main.mark", "of what is captured by value and has its address taken")
	return func() *wide {
		local := w
		return &local
	}
}

var keep = [2]func() *wide{}

// What depends on the release.
var later = func() {}

func code() {
	// In the order that they are initialised in: remark comes before capture.
	for i, name := range []string{"main.trace", "[]uintptr", "string bytes", "main.trace", "[]uintptr"} {
		truth.Say("typed", truth.Keys{"address": truth.Text(made[i]), "type": name, "what": "of static data whose variable is gone"})
	}
	place()
	typed(within, "main.large", "by an unsafe pointer into it")
	typed(at, "main.board", "by an unsafe pointer")
	keep = [2]func() *wide{keeper("a", "b", "c"), keeper("d", "e", "f", "g", "h")}
}
