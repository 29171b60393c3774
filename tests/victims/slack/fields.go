package main

import (
	"fmt"
	"unsafe"

	"victims/internal/truth"
)

// A Frame has no pointers.
type Frame struct {
	ID    uint32
	DLC   uint8
	Error bool
	Data  [8]byte
}

type State int8

// Header is what a generated client calls its header.
type Header struct {
	Tenant string `thrift:"tenant,1,required" json:"tenant"`
	Retry  *int32 `thrift:"retry,2" json:"retry,omitempty"`
}

type Base struct {
	Region int
}

type Request struct {
	Base
	Header   *Header `thrift:"header,1" frugal:"1,default,Header" json:"header"`
	Body     []byte  `thrift:"body,2" json:"body"`
	State    State
	Priority float64
	Handler  func()
	Note     any
	Trace    [4]byte
	User     *Profile `protobuf:"bytes,3,opt,name=user_profile,json=userProfile,proto3" json:"user_profile,omitempty"`
	Plain    *Frame   `json:"-"`
	Named    *Frame   `json:"named_frame,omitempty"`
}

type Profile struct {
	Name []byte `json:"name"`
}

var (
	frames   []*Frame
	requests []*Request
)

func serve() {}

// field says: so many objects have this value there.
func field(path, value string, count int, text bool) {
	truth.Say("field", truth.Keys{"field": path, "value": value, "count": count, "text": text})
}

//go:noinline
func fillFields() {
	for i := 0; i < 600; i++ {
		frames = append(frames, &Frame{ID: 0x100 + uint32(i%3), DLC: 8, Error: i%10 == 0})
	}
	frames = frames[:600:600]
	field("main.Frame.ID", "256", 200, false)
	field("main.Frame.ID", "258", 200, false)
	field("main.Frame.Error", "true", 60, false)
	field("main.Frame.DLC", "8", 600, false)
	one := int32(1)
	for i := 0; i < 90; i++ {
		r := &Request{Base: Base{Region: i % 2}, Header: &Header{Tenant: fmt.Sprint("tenant/", i%3)}, Body: fresh(2000),
			State: State(-(i % 2)), Priority: 0.5, Trace: [4]byte{1, 2, 3, byte(i % 2)}}
		if i%9 == 0 {
			r.Header = nil
		} else if i%2 == 0 {
			r.Header.Retry = &one
		}
		if i%2 == 0 {
			r.Handler, r.Note = serve, "text"
		}
		r.User = &Profile{Name: fresh(100)}
		r.Plain, r.Named = frames[0], frames[1]
		requests = append(requests, r)
	}
	field("main.Request.Header.Tenant", `"tenant/1"`, 30, true)
	field("main.Request.Header.Tenant", "nil", 10, true)
	field("main.Request.header.tenant", `"tenant/2"`, 30, true)
	field("main.Request.Field1.Field1", `"tenant/2"`, 30, true)
	field("main.Request.Header.Retry", "1", 40, false)
	field("main.Request.State", "-1", 45, false)
	field("main.Request.State", "0", 45, false)
	field("main.Request.Region", "1", 45, false)
	field("main.Request.Base.Region", "1", 45, false)
	field("main.Request.Priority", "0.5", 90, false)
	field("main.Request.Handler", "main.serve", 45, false)
	field("main.Request.Handler", "nil", 45, false)
	field("main.Request.Note", `"text"`, 45, true)
	field("main.Request.Trace", "01020301", 45, true)
	field("main.Header.Tenant", `"tenant/0"`, 20, true)
	say := func(p unsafe.Pointer, via, tags string) {
		truth.Say("tags", truth.Keys{"address": truth.At(p), "via": via, "tags": tags})
	}
	r := requests[1]
	say(unsafe.Pointer(r.Header), ".Header", "thrift 1: header")
	say(unsafe.Pointer(&r.Body[0]), ".Body", "thrift 2: body")
	say(unsafe.Pointer(r.User), ".User", "protobuf 3: user_profile")
	say(unsafe.Pointer(&r.User.Name[0]), ".Name", "json: name")
}
