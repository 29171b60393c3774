//go:build go1.21

package main

import (
	"sync"

	"victims/internal/truth"
)

var once = sync.OnceValue(func() *item { return newItem(12) })

func init() {
	more = append(more, func() { truth.Why(once().data(), "main.once") })
}
