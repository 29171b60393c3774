// plug: what the host of plugins opens; it keeps things in variables of its own.
package main

type Session struct {
	Name    string
	Payload []byte
}

var Sessions = map[string]*Session{}

// Keep is what the host calls; the payload is held by the plugin alone.
func Keep(name string, size int) *byte {
	s := &Session{Name: name, Payload: make([]byte, size)}
	Sessions[name] = s
	return &s.Payload[0]
}

func main() {}
