"""Profiles, read back by pprof: sums, names, labels, differences; and the runtime's own profiles beside ours."""
import contextlib
import gzip
import os
import re
import signal
import stat
import subprocess
import tempfile
import time

from cores import core_of
from harness import Victim, case, expect, expect_error

ALL = ["-unit=B", "-nodecount=1000000", "-nodefraction=0", "-edgefraction=0"]
ROW = re.compile(r"^ *(\S+) +\S+% +\S+% +(\S+) +\S+%  (.*)$")


def pprof(lab, *words):
    run = subprocess.run(["go", "tool", "pprof", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         env=lab.go_environment(), cwd="/", timeout=120)
    expect(run.returncode == 0, f"pprof {' '.join(map(str, words))}: {run.stderr.strip()[-300:]}")
    return run.stdout


def number(text):
    return int(re.sub(r"B$", "", text))


def top(lab, file, index, *words):
    """({frame: (flat, cum)}, total) of a profile's value; bytes, or a count."""
    said = pprof(lab, "-top", *ALL, f"-sample_index={index}", *words, file)
    rows = {m[3].removesuffix(" (inline)"): (number(m[1]), number(m[2])) for m in map(ROW.match, said.split("\n")) if m}
    total = re.search(r"of (\S+) total", said)
    return rows, number(total[1]) if total else 0


def stacks(lab, file, index, *words):
    """[(value, [frame, the root first])] of a profile."""
    found = []
    for block in re.split(r"-{11}\+-+\n", pprof(lab, "-traces", "-unit=B", f"-sample_index={index}", *words, file))[1:]:
        lines = [line for line in block.split("\n") if line.strip()]
        first = next((i for i, line in enumerate(lines) if re.match(r"^ *-?\d+B?   \S", line)), None)
        if first is not None:
            value, leaf = lines[first].split(None, 1)
            found.append((number(value), [line.strip() for line in reversed(lines[first + 1:])] + [leaf.strip()]))
    return found


def export(lab, target, *words, name="profile.pb.gz"):
    path = lab.folder / name
    result = lab.result("export", *target, "-o", path, *words)[0]
    expect(result["path"] == str(path) and result["format"] == "pprof", f"{result}")
    expect(result["file_bytes"] == path.stat().st_size, f"{result}: the file has {path.stat().st_size} bytes")
    return path, result


@contextlib.contextmanager
def profiled(lab, *more, flags=()):
    with tempfile.TemporaryDirectory(dir=lab.folder) as folder:
        with Victim([lab.go("profiled", *flags), folder, *more]) as victim:
            yield victim, folder


def expect_sums(lab, target, path, result):
    """What is live, as overview says, by each of the values; and no frame has more."""
    heap = lab.result("overview", *target)[0]["heaps"][0]
    for index, wanted in (("inuse_space", heap["live_bytes"]), ("retained_space", heap["live_bytes"]),
                          ("inuse_objects", heap["live_objects"]), ("retained_objects", heap["live_objects"])):
        rows, total = top(lab, path, index)
        expect(result["totals"][index] == wanted, f"{index}: {result['totals'][index]}, but {wanted} is live")
        expect(total == wanted, f"{index}: pprof sums up {total}, but {wanted} is live")
        expect(sum(flat for flat, _ in rows.values()) == wanted, f"{index}: frames sum up to something else than {wanted}")
        expect(all(flat <= cum <= wanted for flat, cum in rows.values()), f"{index}: a frame has more than there is")


@case("export: sums are what is live; types and roots retain what top says", matrix=True)
def retained(lab):
    with profiled(lab) as (victim, _):
        core = lab.folder / "profiled.core"
        lab.result("snap", "-p", victim.pid, "-o", core)
    target = ["-c", core]
    path, result = export(lab, target)
    expect_sums(lab, target, path, result)
    expect(result["profile"] == "retained" and result["left_out"] == 0 and 50 < result["samples"] < 2000, f"{result}")

    own, _ = top(lab, path, "inuse_space")
    behind, _ = top(lab, path, "retained_space")
    found = stacks(lab, path, "retained_space")
    types = {r["name"]: r for r in lab.result("top", *target, "--limit", "0")[0]["rows"]}
    ours = [name for name in types if re.match(r"(\[\]\*?)?main\.", name)]
    expect({"main.link", "main.binary", "main.branch", "main.odd", "main.even", "main.request", "[]main.item"} <= set(ours), f"{ours}")
    for name in ours:
        expect(own[name][0] == types[name]["bytes"], f"{name}: {own[name]}, but top: {types[name]}")
        expect(behind[name][1] == types[name]["retained_bytes"], f"{name} retains {behind[name]}, but top: {types[name]}")
    roots = lab.result("top", *target, "--by", "root", "--limit", "0")[0]["rows"]
    for row in roots:
        name = row["name"].removesuffix(" goroutines")
        if name.startswith("main.") or name == "(shared by several roots)":
            have = sum(value for value, frames in found if frames[0] == name)
            expect(have == row["retained_bytes"], f"root {name}: {have}, but {row}")
    expect(any(row["name"] == "(shared by several roots)" for row in roots), f"what several roots hold has no row: {roots[:5]}")
    expect(behind["(shared by several roots)"][1] >= 100 * 4096, "what two slices hold is no one's alone")
    core.unlink()


SHAPES = [   # what a stack ends with, from the root on, and how many bytes of objects stand there at least
    (["main.list", "main.link"], 20000 * 16),
    (["main.list", "main.link", "main.link.text", "[100]uint8"], 20000 * 100),
    (["main.tree", "main.binary"], 4095 * 24),
    (["main.tree", "main.binary", "main.binary.weight", "[3]int64"], 4095 * 24),
    (["main.bushes", "main.branch", "main.branch.twigs", "[]*main.branch"], 2 * 8),
    (["main.bushes", "main.branch", "main.branch.twigs", "[]*main.branch", "main.branch"], 1022 * 24),
    (["main.chain", "main.odd", "main.odd.even", "main.even"], 5000 * 16),
    (["main.chain", "main.odd", "main.odd.even", "main.even", "main.even.odd", "main.odd"], 4999 * 16),
    (["main.server", "main.service", "main.service.requests", "map[int]*main.request", "main.request", "main.request.body",
      "[]uint8"], 1000 * 2000),
    (["main.server", "main.service", "main.service.items", "[]main.item", "main.item.value", "[3]int64"], 1000 * 24),
    (["main.server", "main.service", "main.service.grid[][]", "main.request", "main.request.body", "[]uint8"], 4 * 3000),
    (["main.server", "main.service", "main.service.any", "main.request", "main.request.body", "[]uint8"], 5000),
    (["main.server", "main.service", "main.service.handler", "func main.fill.func1", "func main.fill.func1.held", "main.request",
      "main.request.body", "[]uint8"], 7000),
    (["main.wait", "main.wait.mine", "main.request", "main.request.body", "[]uint8"], 40 * 9000),
    (["main.loop", "main.request"], 2 * 24),
]


@case("export: lists, trees, maps and closures fold into the stacks of their types", matrix=True)
def shapes(lab):
    with profiled(lab) as (victim, _):
        path, _ = export(lab, ["-p", victim.pid])
        victim.expect_running()
    release = next(int(t["go"].split(".")[1]) for t in victim.truths if t["truth"] == "heap")
    found = stacks(lab, path, "inuse_space")
    for wanted, least in SHAPES:
        # Before 1.23 nothing tells what a function literal has captured.
        if "func main.fill.func1.held" in wanted and release < 23:
            wanted, least = wanted[:4], 16
        have = sum(value for value, frames in found if frames == wanted)
        expect(have >= least, f"{' > '.join(wanted)}: {have} bytes, not {least}: "
               f"{[frames for _, frames in found if frames[0] == wanted[0]][:12]}")
    deepest = max(found, key=lambda stack: len(stack[1]))
    expect(len(deepest[1]) < 60, f"a stack of {len(deepest[1])} frames: {deepest[1][:20]}")


@case("export: labels choose, peek tells neighbours, and two profiles are told apart", matrix=True)
def labels(lab):
    with profiled(lab) as (victim, _):
        path, _ = export(lab, ["-p", victim.pid])
        rows, _ = top(lab, path, "inuse_space", "-tagfocus=type=^main.link$")
        expect(rows["main.link"][0] == 20000 * 16 and rows["main.list"][1] == 20000 * 16 and len(rows) == 2, f"{rows}")
        rows, _ = top(lab, path, "inuse_objects", "-tagfocus=pool=^main.pool$")
        expect(rows["[5000]uint8"][0] == 2, f"of the pool: {rows}")
        rows, _ = top(lab, path, "inuse_objects", "-tagfocus=pool=main.service.buffers")
        expect(rows["[6000]uint8"][0] == 2, f"of the other pool: {rows}")
        rows, _ = top(lab, path, "inuse_space", "-tagfocus=root=goroutine", "-tagfocus=goroutine=^main.wait$")
        expect(rows["main.wait"][1] >= 40 * 9000 and "main.waitDeep" not in rows, f"of goroutines: {rows}")
        rows, _ = top(lab, path, "inuse_space", "-tagfocus=goroutine=^main.waitDeep$")
        expect(rows["main.waitDeep"][1] >= 2 * 6000, f"of deep goroutines: {rows}")
        peek = pprof(lab, "-peek", r"main\.request\.body$", "-unit=B", path)
        expect(re.search(r"\| +main\.request\n", peek) and re.search(r"\| +\[\]uint8", peek), f"{peek}")
        comments = pprof(lab, "-comments", path)
        expect(f"process {victim.pid}" in comments and "rss: " in comments, f"{comments}")
        if "cgroup_current: " in comments:
            rows, _ = top(lab, path, "inuse_space", "-tagfocus=cgroup_current=1b:")
            expect(rows["main.link"][0] == 20000 * 16, f"of the cgroup's charge: {rows}")
    with profiled(lab, "more") as (victim, _):
        later, _ = export(lab, ["-p", victim.pid], name="later.pb.gz")
    rows, _ = top(lab, later, "inuse_space", f"-diff_base={path}")
    expect(rows["main.link"][0] == 5000 * 16 and rows["main.list"][1] == 5000 * 16, f"more links: {rows.get('main.link')}")
    expect(rows.get("main.binary", (0, 0))[0] == 0, f"trees have not changed: {rows.get('main.binary')}")


@case("export: goroutines and allocations as the runtime's own profiles have them", matrix=True)
def beside_the_runtime(lab):
    with profiled(lab) as (victim, folder):
        ours, result = export(lab, ["-p", victim.pid], "--profile", "goroutine")
        expect(result["profile"] == "goroutine" and result["totals"]["goroutine"] >= 43, f"{result}")
        mine, _ = top(lab, ours, "goroutine")
        theirs, _ = top(lab, f"{folder}/goroutine.pb.gz", "goroutine")
        for name in ("main.wait", "main.waitDeep", "main.main"):
            expect(mine[name][1] == theirs[name][1], f"{name}: {mine[name]}, the runtime: {theirs[name]}")
        rows, _ = top(lab, ours, "goroutine", "-tagfocus=wait=^chan receive$")
        expect(rows["main.wait"][1] == 42, f"that wait to receive: {rows}")
        rows, _ = top(lab, ours, "goroutine", "-tagfocus=created_by=^main.main$")
        expect(rows["main.wait"][1] == 42, f"that main created: {rows}")

        ours, result = export(lab, ["-p", victim.pid], "--profile", "alloc")
        expect(result["note"] is None, f"{result}")
        for index in ("alloc_space", "alloc_objects", "inuse_space", "inuse_objects"):
            mine, _ = top(lab, ours, index)
            theirs, _ = top(lab, f"{folder}/allocs.pb.gz", index)
            for name in ("main.fill", "main.newRequest", "main.grow", "main.sprout"):
                expect(mine[name] == theirs[name], f"{index} of {name}: {mine[name]}, the runtime: {theirs[name]}")
        lines = pprof(lab, "-list", r"main\.grow$", "-unit=B", ours) if not lab.toolchain else "main.go"
        expect("main.go" in lines, f"{lines[:300]}")


@case("export: leaked goroutines have a label", matrix=True)
def leaked(lab):
    with Victim([lab.go("waits")]) as victim:
        path, _ = export(lab, ["-p", victim.pid], "--profile", "goroutine")
        groups = lab.result("goroutines", "-p", victim.pid, "--limit", "0")[0]["groups"]
        found = {frame: cum for frame, (_, cum) in top(lab, path, "goroutine", "-tagfocus=leaked=^yes$")[0].items()}
        leaked = {group["function"] for group in groups if group["leaked"]}
        expect(len(leaked) > 5 and leaked <= set(found), f"no label: {leaked - set(found)}")
        alive = {group["function"] for group in groups if not group["leaked"]} - leaked
        expect(not alive & set(found), f"a label: {alive & set(found)}")


@case("export: a program without symbols", matrix=True)
def stripped(lab):
    with profiled(lab, flags=("-ldflags=-s -w",)) as (victim, _):
        target = ["-p", victim.pid]
        path, result = export(lab, target)
        for index in ("inuse_space", "retained_space"):
            _, total = top(lab, path, index)
            expect(total == result["totals"][index] >= 6 << 20, f"{index}: {total}: {result}")
        rows, _ = top(lab, path, "inuse_space")
        expect(any(re.match(r"\.(no)?(ptr)?(bss|data)\+0x", name) for name in rows), f"no section is named: {list(rows)[:40]}")
        ours, _ = export(lab, target, "--profile", "goroutine")
        rows, _ = top(lab, ours, "goroutine")
        expect(rows["main.wait"][1] == 42, f"{rows.get('main.wait')}")


@case("export: no more stacks than asked for, and no contents")
def bounded(lab):
    with core_of(lab) as (core, _, _):
        whole, full = export(lab, ["-c", core])
        for most in (1, 7):
            path, result = export(lab, ["-c", core], "--max", most, name="cut.pb.gz")
            expect(result["samples"] == most + 1 and result["left_out"] == full["samples"] - most, f"{result}, of {full}")
            expect(result["totals"] == full["totals"], f"{result}, not {full}")
            rows, total = top(lab, path, "inuse_space")
            expect(total == full["totals"]["inuse_space"] and "(others)" in rows, f"{rows}")
        expect(len(rows) < 30, f"frames that nothing is at: {rows}")
        again, _ = export(lab, ["-c", core], name="again.pb.gz")
        expect(again.read_bytes() == whole.read_bytes(), "the same question has another answer")
        for said in (b"user-", b"session-", b"topic-", b"example.com"):
            expect(said not in gzip.decompress(whole.read_bytes()), f"contents are in the file: {said}")
        text = lab.ask("export", "-c", core, "-o", whole).stdout
        expect("go tool pprof -top -cum" in text and max(map(len, text.split("\n"))) <= 140, text)


@case("export: files that cannot be written, questions that are none")
def unwritable(lab):
    with Victim([lab.go("leaky")]) as victim, tempfile.TemporaryDirectory(dir=lab.folder) as folder:
        target = ["export", "-p", victim.pid]
        lab.refused(2, "--output", *target)
        lab.refused(2, "--format", *target, "-o", f"{folder}/x", "--format", "svg")
        lab.refused(2, "--profile", *target, "-o", f"{folder}/x", "--profile", "heap")
        lab.refused(2, "takes no word", *target, "-o", f"{folder}/x", "main.cache")
        lab.refused(2, "takes no --by", *target, "-o", f"{folder}/x", "--by", "type")
        lab.refused(2, "--max", *target, "-o", f"{folder}/x", "--max", "0")
        lab.refused(2, "name", *target, "-o", "")
        lab.refused(4, "nowhere", *target, "-o", f"{folder}/nowhere/x")
        lab.refused(4, "not a regular file", *target, "-o", folder)
        lab.refused(4, "not a regular file", *target, "-o", "/dev/null")
        run = lab.ask(*target, "-o", f"{folder}/x", prefix=["prlimit", "--fsize=100"])
        expect_error(run, 4, "ulimit", "export, no room")
        expect(os.listdir(folder) == [], f"left behind: {os.listdir(folder)}")
        with open(f"{folder}/x", "w", encoding="ascii") as file:
            file.write("before")
        lab.refused(4, "no such process", "export", "-p", 1 << 22, "-o", f"{folder}/x")
        with open(f"{folder}/x", encoding="ascii") as file:
            expect(file.read() == "before", "a question that failed has changed the file")
        lab.result(*target, "-o", f"{folder}/x")
        top(lab, f"{folder}/x", "inuse_space")
        expect(stat.S_IMODE(os.stat(f"{folder}/x").st_mode) == 0o600, "others may read it")
        expect(os.listdir(folder) == ["x"], f"left behind: {os.listdir(folder)}")
        victim.expect_running()


@case("export: interrupted, it leaves nothing behind")
def interrupted(lab):
    with Victim([lab.go("scale"), "1"]) as victim, tempfile.TemporaryDirectory(dir=lab.folder) as folder:
        target, ends = ["export", "-p", victim.pid, "-o", f"{folder}/x"], []
        started = time.monotonic()
        lab.result(*target)
        whole = time.monotonic() - started
        for i in range(8):
            for name in os.listdir(folder):
                os.unlink(f"{folder}/{name}")
            tool = lab.start(*target)
            time.sleep(whole * (i + 0.5) / 10)
            tool.send_signal(signal.SIGTERM)
            _, err = tool.communicate(timeout=30)
            ends.append(tool.returncode)
            # Before the handler stands, the signal's own end.
            expect(tool.returncode in (0, 130, -signal.SIGTERM), f"exit {tool.returncode}: {err}")
            expect(os.listdir(folder) == ([] if tool.returncode else ["x"]), f"exit {tool.returncode}: {os.listdir(folder)}")
        expect(130 in ends, f"none was interrupted: exits {ends}")
        victim.expect_running()
