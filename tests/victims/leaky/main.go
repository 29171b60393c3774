// leaky: a service with the leaks that one meets: a cache that never evicts, small views of large arrays, goroutines
// that wait for nobody, a registry that only grows. It serves nobody; it only remembers. Argument: how many times as large
// as usual all that is (1).
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"unsafe"

	"victims/internal/truth"
)

const (
	sessions    = 5000
	uploads     = 32
	stuck       = 120
	subscribers = 400
)

// A Session is what the login handler keeps for a user.
type Session struct {
	ID      string
	User    *User
	Payload []byte
	Attrs   map[string]string
}

// A User is who logged in.
type User struct {
	Name  string
	Email string
}

// A Subscriber is never unsubscribed.
type Subscriber struct {
	Topic string
	Queue []byte
}

type job struct {
	id   int
	body []byte
}

var (
	sessionCache = map[string]*Session{} // nobody evicts
	headers      [][]byte                // views of 16 bytes, each of an upload of 1 MiB or more
	registry     sync.Map                // nobody unsubscribes
	results      = make(chan *job)       // nobody receives
	lastUpload   *[1 << 20]byte
	times        = 1
)

// received is a buffer as if it had come from somewhere: each page of it has been written to.
//
//go:noinline
func received(n int) []byte {
	b := make([]byte, n*times)
	for i := 0; i < len(b); i += 1024 {
		b[i] = byte(i >> 10)
	}
	return b
}

// login fills the cache.
//
//go:noinline
func login(i int) {
	id := fmt.Sprintf("session-%d", i)
	name := fmt.Sprintf("user-%d", i)
	sessionCache[id] = &Session{
		ID:      id,
		User:    &User{Name: name, Email: name + "@example.com"},
		Payload: received(4096),
		Attrs:   map[string]string{"lang": name},
	}
}

// upload keeps the head of a request, and with it all of the request.
//
//go:noinline
func upload() {
	body := received(1 << 20)
	headers = append(headers, body[512:528])
}

// worker finishes its job, and waits for ever to hand it in.
//
//go:noinline
func worker(id int) {
	j := &job{id: id, body: received(64 << 10)}
	results <- j
	runtime.KeepAlive(j)
}

// subscribe adds to the registry.
//
//go:noinline
func subscribe(i int) {
	topic := fmt.Sprintf("topic-%d", i)
	registry.Store(topic, &Subscriber{Topic: topic, Queue: received(8192)})
}

// drop leaves garbage behind.
//
//go:noinline
func drop() {
	lastUpload = new([1 << 20]byte)
	truth.Garbage(unsafe.Pointer(lastUpload))
	lastUpload = nil
}

//go:noinline
func say() {
	s := sessionCache["session-7"]
	truth.Type(unsafe.Pointer(s), "main.Session", 64)
	truth.Type(unsafe.Pointer(s.User), "main.User", 32)
	truth.Why(unsafe.Pointer(&s.Payload[0]), "main.sessionCache", `["session-7"]`, "Payload")
	truth.Why(unsafe.Pointer(s.User), "main.sessionCache", `["session-7"]`, "User")
	truth.Why(unsafe.Pointer(&headers[5][0]), "main.headers", "[5]")
	sub, _ := registry.Load("topic-3")
	truth.Why(unsafe.Pointer(&sub.(*Subscriber).Queue[0]), "main.registry", "Queue")
	truth.Say("count", truth.Keys{"type": "main.Session", "count": sessions})
	truth.Say("count", truth.Keys{"type": "main.Subscriber", "count": subscribers})
	truth.Say("goroutines", truth.Keys{"function": "main.worker", "count": stuck, "wait": "chan send"})
}

func main() {
	if len(os.Args) > 1 {
		if n, err := strconv.Atoi(os.Args[1]); err == nil && n > 0 {
			times = n
		}
	}
	for i := 0; i < sessions; i++ {
		login(i)
	}
	for i := 0; i < uploads; i++ {
		upload()
	}
	for i := 0; i < subscribers; i++ {
		subscribe(i)
	}
	for i := 0; i < stuck; i++ {
		go worker(i)
	}
	truth.Settle()
	for i := 0; i < 8; i++ {
		drop()
	}
	say()
	truth.Ready()
	truth.Beat()
}
