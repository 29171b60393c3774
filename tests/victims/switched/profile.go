//go:build profile

package main

import "runtime"

func init() { runtime.MemProfile(nil, false) }
