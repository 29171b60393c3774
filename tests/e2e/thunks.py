"""A pool's constructor that the program does not have: code that makes zero values, known to Go's runtime.

The victim `thunked` looks at stacks in every way that there is, while its pools are patched."""
import json
import re
import signal

from builds import build
from harness import Victim, case, expect, wait_for
from patch_apply import Patcher, Pool
from patches import State

POOLS = {"main.pool": "main.buffer", "main.smalls": "main.small", "main.empties": "main.empty"}


def apply(state, victim, pool, kind, *options):
    """Applies; a target that is busy at each try is asked again, as a user would."""
    for _ in range(8):
        run = state.lab.ask("patch", "apply", "-p", victim.pid, "--pool", pool, "--to", f"thunk:{kind}", "--expert", "--yes",
                            "--json", *options, env=state.env)
        if run.returncode == 0:
            return json.loads(run.stdout)["result"]
        expect(victim.process.poll() is None, f"the victim ended: {victim.process.returncode}")
        expect(run.returncode == 4 or "inconclusive" in run.stderr, f"exit {run.returncode}: {run.stderr.strip()[-300:]}")
    raise AssertionError(f"never applied: {run.stderr.strip()[-300:]}")


def gives(victim, name, small):
    wait_for(lambda: victim.gives(20) == name and victim.got[-1]["small"] == small, 20,
             f"the pools do not give {name}, {small}")


def pages(victim):
    """Mappings that hold code and belong to no file."""
    with open(f"/proc/{victim.pid}/maps", encoding="ascii") as maps:
        return [line.split() for line in maps if re.search(r" ..x. 0+ 00:00 0\s*$", line)]


@case("thunk: zero values, and back, again and again, while all stacks are looked at", matrix=True)
def storm(lab):
    state = State(lab, "thunk-storm")
    with Pool([lab.go("thunked")]) as victim:
        gives(victim, "wasteful", 1)
        for turn in range(3):
            for pool, kind in POOLS.items():
                done = apply(state, victim, pool, kind)
                expect(done["patches"][0]["state"] == "applied", f"{done['patches']}")
                run = done["dry_run"]
                expect(run["verdict"] == "accepted" and run["result_type"] == f"*{kind}", f"the dry run: {run}")
                expect([m["type"] for m in run["made"] if m["bytes"]] == [kind][:kind != "main.empty"], f"the dry run: {run}")
            gives(victim, "zero", 0)
            before = victim.got[-1]["named"]
            wait_for(lambda: victim.gives(20) and victim.got[-1]["named"] > before, 30, "no stack was seen inside of it")
            again = state.result("patch", "revert", "-p", victim.pid, "--all")
            expect(sum(p["state"] == "reverted" for p in again["patches"]) >= 3, f"{again}")
            expect(turn or all("stays in the process" in p["why"] for p in again["patches"]), f"{again}")
            gives(victim, "wasteful", 1)
            found = pages(victim)
            expect(len(found) == 3 or sum(int(b, 16) - int(a, 16) for a, b in (p[0].split("-") for p in found)) == 3 * 4096,
                   f"code is made once for each type: {found}")
            expect(all("w" not in p[1] for p in found), f"a page of code can be written to: {found}")
        victim.expect_running()


@case("thunk: a stripped program", matrix=True)
def stripped(lab):
    state = State(lab, "thunk-stripped")
    with Pool([lab.go("thunked", "-ldflags=-s -w")]) as victim:
        pool = hex(int(victim.places["slot"], 16) - 32)      # sync.Pool.New
        apply(state, victim, pool, "main.buffer")
        wait_for(lambda: victim.gives(20) == "zero", 20, "the pool does not give zero values")
        state.result("patch", "revert", "-p", victim.pid, "--all")
        wait_for(lambda: victim.gives(20) == "wasteful", 20, "the pool does not give what it gave")
        victim.expect_running()


@case("thunk: a position-independent program", matrix=True)
def position_independent(lab):
    state = State(lab, "thunk-pie")
    with Pool([lab.go("thunked", "-buildmode=pie")]) as victim:
        apply(state, victim, "main.pool", "main.buffer")
        wait_for(lambda: victim.gives(20) == "zero", 20, "the pool does not give zero values")
        state.result("patch", "revert", "-p", victim.pid, "--all")
        wait_for(lambda: victim.gives(20) == "wasteful", 20, "the pool does not give what it gave")
        victim.expect_running()


@case("thunk: what is refused changes nothing")
def refused(lab):
    state = State(lab, "thunk-refused")

    def no(codes, pattern, victim, pool, to, *options):
        state.refused(codes, pattern, "patch", "apply", "-p", victim.pid, "--pool", pool, "--to", to, "--yes", *options)
        expect(victim.gives() == "wasteful" and not pages(victim), f"{to}: the process has changed")

    with Pool([lab.go("thunked"), "calm"]) as victim:
        no(6, "for experts alone", victim, "main.pool", "thunk:main.buffer")
        no(2, "no type", victim, "main.pool", "thunk:main.nothing", "--expert")
        no(2, "no type", victim, "main.pool", "thunk:", "--expert")
        no(2, "no type", victim, "main.pool", "thunk:**main.buffer", "--expert")
        no(6, r"refused \(type\)", victim, "main.pool", "thunk:main.small", "--expert")
        plan = state.result("patch", "plan", "-p", victim.pid, "--pool", "main.pool", "--to", "thunk:main.buffer", "--expert")
        expect("made known" in plan["how"] and not pages(victim), f"{plan}")
        state.refused(6, "without leave", "patch", "apply", "-p", victim.pid, "--plan", plan["id"])
        core = lab.folder / "thunk.core"
        lab.result("snap", "-p", victim.pid, "-o", core)
        dry = lab.result("patch", "dry-run", "-c", core, "-e", lab.go("thunked"), "--pool", "main.pool", "--to",
                         "thunk:main.buffer", "--expert", env=state.env)[0]
        expect(dry["verdict"] == "accepted", f"on a core: {dry['verdict']}: {dry['why']}")
        core.unlink()
        victim.expect_running()
    with Pool([lab.c("patched")]) as victim:
        state.refused((2, 4, 5, 6), "", "patch", "apply", "-p", victim.pid, "--pool", victim.places["slot"], "--to",
                      "thunk:int", "--yes", "--expert")


@case("thunk: programs that it was not tested in: with the race detector, with plugins, of another release")
def untested(lab):
    state = State(lab, "thunk-untested")

    def unsupported(pattern, victim, pool, to):
        state.refused(5, pattern, "patch", "apply", "-p", victim.pid, "--pool", pool, "--to", to, "--yes", "--expert")
        expect(not pages(victim), "the process has changed")
        victim.expect_running()

    with Victim([build(lab, "thunked", "-race", CGO_ENABLED="1"), "calm"]) as victim:
        unsupported("-race", victim, "main.pool", "thunk:main.buffer")
    plugin = build(lab, "plugin/plug", "-buildmode=plugin", CGO_ENABLED="1")
    with Victim([build(lab, "plugin/host", CGO_ENABLED="1"), plugin]) as victim:
        unsupported("may load plugins", victim, "fmt.ppFree", "thunk:fmt.pp")
    with Victim([build(lab, "thunked", toolchain="go1.24.9"), "calm"]) as victim:
        unsupported("this one is of go1.24.9", victim, "main.pool", "thunk:main.buffer")


@case("thunk: killed after each step: the process runs on, and the next one succeeds", matrix=True)
def killed(lab):
    patcher, program, rows = Patcher(lab, "kill-thunk"), lab.go("thunked"), []

    def words(victim):
        return ["apply", victim.pid, victim.places["slot"], victim.places["ctor_wasteful"], 0, "thunk=main.buffer", "expert=1"]

    def applied(victim, **options):
        for _ in range(10):
            run = patcher.run(*words(victim), **options)
            if run.returncode != 4:      # its first thread was at work at each stop
                return run
        return run

    with Pool([program, "calm"]) as victim:
        names = re.findall(r"^fault \d+: (.*)$", applied(victim, fault="apply:0").stderr, re.M)
    expect("the page of code filled" in names and "the code made known" in names, f"{names}")
    for step in range(1, len(names) + 1):
        with Pool([program, "calm"]) as victim:
            run = applied(victim, fault=f"apply:{step}")
            expect(run.returncode == -signal.SIGKILL, f"step {step}: exit {run.returncode}: {run.stderr}")
            victim.expect_running()
            state = patcher.one("list", victim.pid)
            wait_for(lambda: victim.gives() == ("zero" if state["state"] == "applied" else "wasteful"), 10,
                     f"step {step}: {state['state']}, but the pool gives {victim.got[-1]['from']}")
            rows.append((step, names[step - 1], state["event"], state["state"], len(pages(victim))))
            patcher.ask("revert", victim.pid)
            run = applied(victim)
            expect(run.returncode == 0, f"step {step}: not applied after it: {run.stderr}")
            wait_for(lambda: victim.gives() == "zero", 10, f"step {step}: the pool gives {victim.got[-1]['from']}")
            patcher.ask("revert", victim.pid)
            wait_for(lambda: victim.gives() == "wasteful", 10, f"step {step}: the pool gives {victim.got[-1]['from']}")
            victim.expect_running()
    expect({"applied", "not-applied"} <= {r[3] for r in rows}, f"both outcomes were to be seen: {rows}")
    print("        killed after                       journal says  process is   pages of code")
    for step, what, event, state, n in rows:
        print(f"        {step:2} {what:32} {event:13} {state:12} {n}")
