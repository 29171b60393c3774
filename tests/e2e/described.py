"""Pools that a file describes: what C and Go victims say of theirs, damage, and what is wrong with such files."""
import json
import os

from harness import VICTIMS, Victim, case, expect
from debuggers import ask_gdb

FILE, DAMAGED = VICTIMS / "c" / "slabs.json", VICTIMS / "c" / "damaged.json"
BUILDS = ([], ["-O2"], ["-O0", "-no-pie"], ["-gdwarf-4", "-O2"], ["-static"], ["-O2", "-fPIE", "-pie", "-gz"])


def of_kind(truths, kind):
    return [t for t in truths if t["truth"] == kind]


def ask(lab, *target, file=FILE, **options):
    result, answer = lab.result("pools", *target, "--pool-file", file, "--limit", "0", **options)
    rows = result["pools"]
    expect(sum(row["count"] for row in rows) == result["total_pools"], f"pools do not add up: {result['total_pools']}")
    expect(sum(row["idle"] for row in rows) == result["total_idle"], f"items do not add up: {result['total_idle']}")
    expect(sum(row["idle_bytes"] for row in rows) + result["shared_bytes"] == result["total_idle_bytes"], "bytes do not add up")
    return {row["name"]: row for row in rows}, answer


def expect_truths(truths, rows):
    wanted = of_kind(truths, "pool")
    expect(wanted, "the victim says nothing of its pools")
    for t in wanted:
        row = rows[t["name"]]
        for key in ("address", "constructor", "items", "idle", "used_bytes", "idle_bytes"):
            expect(row[key] == t[key], f"{t['name']}: {key} is {row[key]!r}, not {t[key]!r}")
        expect(row["kind"] == "described" and row["problem"] is None, f"{row}")
        expect(row["slots"] >= row["items"] + row["idle"] and row["private"] + row["shared"] + row["victim"] == row["idle"], f"{row}")


@case("described pools: what a C program says of its own, however it was built")
def truths_of_builds(lab):
    for flags in BUILDS:
        with Victim([lab.c("slabs", *flags)]) as victim:
            rows, answer = ask(lab, "-p", victim.pid)
            expect_truths(victim.truths, rows)
            expect(answer["stopped_ms"] > 0, "a live process that was not stopped")
            expect(rows["not yet"]["items"] == 0 and rows["not yet"]["problem"] is None, f"{rows['not yet']}")
            expect(rows["cells 2"]["item_types"] == ["struct conn"], f"{rows['cells 2']}")
            victim.expect_running()


@case("described pools: in a core")
def truths_of_core(lab):
    core = lab.folder / "slabs.core"
    with Victim([lab.c("slabs")]) as victim:
        lab.result("snap", "-p", victim.pid, "-o", core)
    expect_truths(victim.truths, ask(lab, "-c", core)[0])
    lab.refused(4, "not a Go program", "top", "-c", core, "--pool-file", FILE)
    core.unlink()


@case("described pools: by addresses and offsets, without a name")
def truths_of_stripped(lab):
    with Victim([lab.c("slabs", "-s")]) as victim:
        file = lab.folder / "layout.json"
        file.write_text(json.dumps({"pools": of_kind(victim.truths, "layout")[0]["pools"]}))
        rows = ask(lab, "-p", victim.pid, file=file)[0]
        for t in of_kind(victim.truths, "pool"):
            if t["name"] in rows:
                got = {key: rows[t["name"]][key] for key in ("address", "items", "idle", "idle_bytes")}
                expect(got == {key: t[key] for key in got}, f"{got}, not {t}")
        expect(len(rows) == 2 and rows["conns"]["constructor"] is None and rows["conns"]["constructor_address"], f"{rows}")
        lab.refused(2, r"slabs.json: pools\[0\] \(conns\): instance: .*has no variable or symbol 'g_conns'", "pools", "-p", victim.pid,
                    "--pool-file", FILE)


@case("described pools: symbols alone, members by offsets")
def truths_of_symbols(lab):
    program = lab.c("slabs", "-g0")
    with Victim([program]) as victim:
        layout = of_kind(victim.truths, "layout")[0]["pools"][:1]
        layout[0]["instance"] = "g_conns"
        file = lab.folder / "symbols.json"
        file.write_text(json.dumps({"pools": layout}))
        rows = ask(lab, "-p", victim.pid, file=file)[0]
        expect_truths([t for t in victim.truths if t.get("name") == "conns" and t["truth"] == "pool"], rows)
        lab.refused(2, "'object_size' cannot be looked up: there is no debug information|'ctor' cannot be looked up", "pools", "-p",
                    victim.pid, "--pool-file", FILE)


@case("described pools: damage is told, and the rest is counted")
def damaged(lab):
    with Victim([lab.c("slabs")]) as victim:
        rows, answer = ask(lab, "-p", victim.pid, file=DAMAGED, complete=False)
        expect(not answer["complete"], "damage, and yet complete")
        for t in of_kind(victim.truths, "damaged"):
            row = rows[t["name"]]
            expect(t["problem"] in (row["problem"] or ""), f"{t['name']}: {row['problem']!r} does not say '{t['problem']}'")
            expect(any(f"pool {t['name']}: {row['problem']}" in w for w in answer["warnings"]), f"no warning of {t['name']}")
            for key in ("items", "idle"):
                expect(key not in t or row[key] == t[key], f"{t['name']}: {key} is {row[key]}, not {t.get(key)}")
        expect(rows["overfull"]["slabs"] == 2 and rows["boundless"]["slabs"] == 2 and rows["wild"]["slabs"] == 2, f"{rows}")
        text = lab.ask("pools", "-p", victim.pid, "--pool-file", DAMAGED).stdout
        expect("this answer is not complete" in text and "comes back to" in text, text[-300:])
        victim.expect_running()


@case("described pools: a large one, in a short stop")
def large(lab):
    with Victim([lab.c("slabs", "-O2"), "1000000"]) as victim:
        rows, answer = ask(lab, "-p", victim.pid)
        expect_truths(victim.truths, rows)
        expect(answer["stopped_ms"] < 200, f"stopped for {answer['stopped_ms']} ms")


@case("described pools: beside those of a Go program", matrix=True)
def of_go(lab):
    file = VICTIMS / "slabs" / "slabs.json"
    with Victim([lab.go("slabs")]) as victim:
        rows = ask(lab, "-p", victim.pid, file=file)[0]
        expect_truths(victim.truths, rows)
        expect(rows["main.buffers"]["kind"] == "sync.Pool" and rows["main.buffers"]["idle"] == 1, f"{rows['main.buffers']}")
        alone = lab.result("pools", "-p", victim.pid, "--limit", "0")[0]["pools"]
        expect("frames" not in [row["name"] for row in alone], "a pool of a file that was not given")
        lab.result("top", "-p", victim.pid, "--pool-file", file)
        lab.refused(2, "no member 'heda'", "overview", "-p", victim.pid, "--pool-file",
                    changed(lab, file, '"head": "free"', '"head": "heda"'))


def changed(lab, file, *pairs):
    """A copy of the file with texts replaced."""
    text = file.read_text()
    for old, new in zip(pairs[::2], pairs[1::2]):
        text = text.replace(old, new, 1)
    out = lab.folder / "changed.json"
    out.write_text(text)
    return out


@case("described pools: each mistake in the file has its line")
def mistakes(lab):
    with Victim([lab.c("slabs")]) as victim:
        def refused(pattern, *pairs, codes=2):
            lab.refused(codes, pattern, "pools", "-p", victim.pid, "--pool-file", changed(lab, FILE, *pairs))

        for pattern, *pairs in (
            (r"changed.json:1:\d+: .*is JSON", '{"pools"', "pools"),
            ("unknown key 'pool'", '"pools"', '"pool"'),
            ("kind: there is none called 'slib'; there is: \"slab\"", '"slab"', '"slib"'),
            ("kind is missing", ' "kind": "slab",', ""),
            ("name is missing", '"name": "conns", ', ""),
            ("two pools are called 'large'", '"name": "conns"', '"name": "large"'),
            ("name: write a name in quotes", '"name": "conns"', '"name": 3'),
            ("unknown key 'constructr'; a pool of kind \"slab\" has name, .*slabs.head", '"constructor"', '"constructr"'),
            ("unknown key 'slabs.heda'", '"head"', '"heda"'),
            ("slabs.head is missing", '"head": "slabs", ', ""),
            ("has no variable or symbol 'g_none'", "g_conns", "g_none"),
            ("has no member 'ctr'; it has: name, object_size, ctor", '"ctor"', '"ctr"'),
            ("'object_size' is a '.*', no pointer to a function", '"constructor": "ctor"', '"constructor": "object_size"'),
            ("'name' is a 'char ?\\*', no number", '"object_size": "object_size"', '"object_size": "name"'),
            ("slabs.head: 'taken' is a '.*', no pointer", '"head": "slabs"', '"head": "taken"'),
            ("slabs.used: 'next->used' leads through a pointer", '"used": "used"', '"used": "next->used"'),
            ("write a name in quotes, an offset", '"ctor"', "true"),
            ("write a name in quotes, an offset", '"ctor"', "-8"),
            ("constructor: a {\"value\": ...} has no place", '"ctor"', '{"value": 8}'),
            ("write {\"value\": N}, or {\"offset\": N", '"ctor"', '{"offset": 8, "size": 3}'),
            ("free.next_offset: write a number", '"next_offset": 0', '"next_offset": "x"'),
            ("free.next_offset is missing", ', "next_offset": 0', ""),
            ("both free.head and free.slab_head", '"next_offset": 0', '"next_offset": 0, "slab_head": "next"'),
            ("slabs.used and slabs.capacity are missing", ', "used": "used", "capacity": "cap"', ""),
            (r"\[3\]: the array has 3 elements", "g_cells[0]", "g_cells[3]"),
            (r"it is an array of 3: name an element by \[0\]", "g_cells[0]", "g_cells"),
            ("it is a 'size_t|it is a '.*', no structure", "g_conns", "g_conns.taken"),
            ("there is no type 'struct none'", '"instance": "g_conns"', '"instance": "g_conns", "type": "struct none"'),
            ("slab_type: there is no type 'struct none'", '"struct region"', '"struct none"'),
            ("changed.json: describes no pool", FILE.read_text(), '{"pools": []}'),
            (r"pools\[0\] is no object", FILE.read_text(), '{"pools": [3]}'),
            ("duplicate|is JSON", '"name": "conns"', '"name": "conns", "name": "x"'),
            ("larger than 1 MiB", FILE.read_text(), " " * (1 << 20) + "{}"),
            ("is JSON", FILE.read_text(), "[" * 100000),
            ("is JSON", FILE.read_text(), "\0"),
        ):
            refused(pattern, *pairs)
        for path, pattern in ((lab.folder / "absent.json", "No such file"), (lab.folder, "no regular file"), ("/dev/zero", "no regular file")):
            lab.refused(4, pattern, "pools", "-p", victim.pid, "--pool-file", path)
        os.mkfifo(lab.folder / "fifo")
        lab.refused(4, "no regular file", "pools", "-p", victim.pid, "--pool-file", lab.folder / "fifo", timeout=10)
        lab.refused(2, "given twice", "pools", "-p", victim.pid, "--pool-file", FILE, "--pool-file", FILE)
        lab.refused(4, "not a Go program.*--pool-file FILE", "pools", "-p", victim.pid)
        lab.refused(4, "not a Go program[^-]*$", "top", "-p", victim.pid, "--pool-file", FILE)
        victim.expect_running()


@case("described pools: in gdb, the file may come after the first question")
def in_gdb(lab):
    with Victim([lab.c("slabs")]) as victim:
        said = ask_gdb(lab, ["-p", victim.pid], f"hf pools --pool-file {FILE}", "hf pools", f"hf pools --pool-file {FILE} --limit 1")
        expect("conns" in said[0] and "make_buf" in said[0], f"{said[0]}")
        expect("--pool-file FILE" in said[1], f"{said[1]}")
        expect("make_conn" in said[2], f"{said[2]}")
        victim.expect_running()
    with Victim([lab.go("slabs")]) as victim:
        file = VICTIMS / "slabs" / "slabs.json"
        said = ask_gdb(lab, ["-p", victim.pid], "hf top --limit 1", f"hf pools --pool-file {file} --limit 0", "hf pools --limit 0")
        expect("frames" in said[1] and "main.buffers" in said[1], f"{said[1]}")
        expect("frames" not in said[2] and "main.buffers" in said[2], f"{said[2]}")
        victim.expect_running()
