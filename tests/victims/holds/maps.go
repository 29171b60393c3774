package main

import (
	"unsafe"

	"victims/internal/truth"
)

type point struct{ x, y int32 }

type bigElem struct {
	pad [160]byte
	it  *item
}

// A key of a map with pointers in it.
type tag struct {
	name string
	id   *int
}

var (
	byPoint  = map[point]*item{}
	byInt    = map[int]*item{}
	byBigKey = map[[200]byte]*item{}   // keys above 128 bytes are stored by pointer
	byBig    = map[[160]byte]bigElem{} // and so are elements
	nested   = map[string]map[int]*item{}
	churned  = map[int]*item{}
	byTag    = map[tag]*[]byte{}
	inKeys   = map[*item]bool{}
	byIface  = map[any]*item{}
	valueMap = map[uint16]item{}
	oneEntry = map[string]*item{}
)

//go:noinline
func holdInMaps() {
	for i := 0; i < 40; i++ {
		byPoint[point{int32(i), int32(-i)}] = newItem(i)
		byInt[i*1000] = newItem(i)
		byBigKey[[200]byte{byte(i)}] = newItem(i)
		byBig[[160]byte{byte(i)}] = bigElem{it: newItem(i)}
		inKeys[newItem(i)] = true
		byIface[i] = newItem(i)
		valueMap[uint16(i)] = *newItem(i)
	}
	for _, outer := range []string{"north", "south", "east", "west"} {
		nested[outer] = map[int]*item{}
		for i := 0; i < 20; i++ {
			nested[outer][i] = newItem(i)
		}
	}
	for i := 0; i < 10000; i++ {
		churned[i] = nil
	}
	for i := 0; i < 10000; i++ {
		if i%1000 != 500 {
			delete(churned, i)
		} else {
			churned[i] = newItem(i)
		}
	}
	id := new(int)
	name := string(make([]byte, 3000))
	held := make([]byte, 5000)
	byTag[tag{name, id}] = &held
	oneEntry["only"] = newItem(1)

	truth.Why(byPoint[point{3, -3}].data(), "main.byPoint", "buf")
	truth.Why(byInt[7000].data(), "main.byInt", "[7000]", "buf")
	truth.Why(byBigKey[[200]byte{9}].data(), "main.byBigKey", "buf")
	truth.Why(byBig[[160]byte{9}].it.data(), "main.byBig", "it", "buf")
	truth.Why(nested["south"][3].data(), "main.nested", `["south"]`, "[3]", "buf")
	truth.Why(churned[9500].data(), "main.churned", "[9500]", "buf")
	truth.Why(unsafe.Pointer(&held[0]), "main.byTag")
	truth.Why(unsafe.Pointer(unsafe.StringData(name)), "main.byTag", "name")
	for it := range inKeys {
		truth.Why(it.data(), "main.inKeys", "buf")
		break
	}
	truth.Why(byIface[5].data(), "main.byIface", "buf")
	v := valueMap[8]
	truth.Why(v.data(), "main.valueMap", "[8]", "buf")
	truth.Why(oneEntry["only"].data(), "main.oneEntry", `["only"]`, "buf")
}
