"""patch plan, vet, dry-run, apply, status, revert: the verdicts that victims say, the whole way, and that nothing else is
changed."""
import json
import os
import random
import re
import signal
import subprocess
import time

from harness import VICTIMS, Failure, NotRun, Victim, case, expect, status, wait_for
from patch_apply import Pool

C_POOLS = {"pools": [{
    "name": "packets", "kind": "slab", "instance": "g_packets", "constructor": "make", "object_size": "size",
    "slabs": {"head": "slabs", "next": "next", "items": "slots", "used": "used", "capacity": "room"},
    "free": {"head": "idle", "next_offset": 0}}]}


class State:
    """A folder for plans and journal, as the environment names it to the tool."""

    def __init__(self, lab, name):
        self.lab, self.env = lab, {**os.environ, "XDG_STATE_HOME": str(lab.folder / f"state-{name}")}

    def result(self, *words):
        return self.lab.result(*words, env=self.env)[0]

    def refused(self, codes, pattern, *words):
        return self.lab.refused(codes, pattern, *words, env=self.env)


def pool_file(lab):
    path = lab.folder / "packets.json"
    path.write_text(json.dumps(C_POOLS))
    return f"--pool-file={path}"


def dry_run(lab, target, truth, *options):
    run = lab.ask("patch", "dry-run", *target, "--pool", truth["pool"], "--to", truth["name"], "--json", *options)
    expect(run.returncode in (0, 6), f"dry-run of {truth['name']}: exit {run.returncode}: {run.stderr.strip()[-300:]}")
    result = json.loads(run.stdout)["result"]
    expect((run.returncode == 6) == (result["verdict"] == "refused"),
           f"{truth['name']}: {result['verdict']}, but exit {run.returncode}")
    return result


def wrong_verdicts(lab, target, truths, *options):
    wrong = []
    for truth in truths:
        got = dry_run(lab, target, truth, *options)
        # A run that got no time, on a machine that is busy, is one that has to be asked for again.
        if got["verdict"] == "inconclusive":
            got = dry_run(lab, target, truth, *options)
        if (got["verdict"], got["reason"] or "") != (truth["verdict"], truth["reason"]):
            wrong.append(f"{truth['name']}: {got['verdict']} ({got['reason']}: {got['why']}), "
                         f"not {truth['verdict']} ({truth['reason']})")
    return wrong


def expect_verdicts(lab, victim, program, *options):
    truths = [t for t in victim.truths if t["truth"] == "ctor"]
    expect(len(truths) > 20, f"the victim has {len(truths)} constructors")
    core = lab.folder / f"ctors-{victim.pid}.core"
    wrong = wrong_verdicts(lab, ["-p", victim.pid], truths, *options)
    expect(status(victim.pid, "TracerPid") == "0" and victim.process.poll() is None, "the victim does not run on")
    lab.result("snap", "-p", victim.pid, "-o", core)
    wrong += wrong_verdicts(lab, ["-c", core, "-e", program], [t for t in truths if not t.get("live")], *options)
    core.unlink()
    expect(not wrong, f"{len(wrong)} wrong verdicts; the first: {wrong[0] if wrong else ''}")


@case("patch: verdicts on Go constructors, live and on a core", matrix=True)
def go_verdicts(lab):
    program = lab.go("ctors")
    with Victim([program]) as victim:
        expect_verdicts(lab, victim, program)


@case("patch: verdicts on Go constructors while the collector never rests", matrix=True)
def busy_verdicts(lab):
    with Victim([lab.go("ctors"), "busy"]) as victim:
        truths = [t for t in victim.truths if t["truth"] == "ctor"]
        wrong = wrong_verdicts(lab, ["-p", victim.pid], truths)
        expect(not wrong, f"{len(wrong)} wrong verdicts; the first: {wrong[0] if wrong else ''}")
        expect(status(victim.pid, "TracerPid") == "0" and victim.process.poll() is None, "the victim does not run on")


@case("patch: verdicts on Go constructors of a stripped program")
def stripped_verdicts(lab):
    program = lab.go("ctors", "-ldflags=-s -w")
    with Victim([program]) as victim:
        address = next(t["address"] for t in victim.truths if t["truth"] == "pool" and t["name"] == "main.pool")
        truths = [{**t, "pool": address} for t in victim.truths if t["truth"] == "ctor" and t["pool"] == "main.pool"]
        sound = [t for t in truths if t["verdict"] == "accepted"]
        # Without DWARF a second result, which no pool looks at, is not seen.
        accepted = [t["name"] for t in truths if t["verdict"] != "accepted" and t["reason"] != "signature"
                    and dry_run(lab, ["-p", victim.pid], t)["verdict"] == "accepted"]
        expect(not accepted, f"what is not sound is accepted: {accepted}")
        taken = [dry_run(lab, ["-p", victim.pid], t)["verdict"] == "accepted" for t in sound]
        expect(sum(taken) >= len(taken) * 0.8, f"{sum(taken)} of {len(taken)} sound constructors are accepted")


@case("patch: verdicts on C constructors, live and on a core")
def c_verdicts(lab):
    for flags in ((), ("-O2",), ("-no-pie",), ("-O0", "-static")):
        program = lab.c("ctors", *flags)
        with Victim([program]) as victim:
            expect_verdicts(lab, victim, program, pool_file(lab))


def whole_way(lab, state, victim, pool, old, new, *options):
    asked = ["-p", victim.pid, *options]
    before = victim.gives()
    plan = state.result("patch", "plan", *asked, "--pool", pool, "--to", new)
    expect(plan["old_function"] == old and plan["new_function"] == new and len(plan["id"]) == 16, f"the plan: {plan}")
    expect(json.load(open(plan["saved"], encoding="utf-8"))["id"] == plan["id"], "the saved plan is another")
    named = ["--plan", plan["id"]]
    vet = state.result("patch", "vet", *asked, *named)
    expect(vet["verdict"] == "accepted" and vet["elapsed_us"] < 5000 * 20, f"vet: {vet['verdict']}, {vet['elapsed_us']} us")
    run = state.result("patch", "dry-run", *asked, *named)
    expect(run["verdict"] == "accepted", f"the dry run: {run['verdict']}: {run['why']}")
    expect(run["allocated_bytes"] <= 1024 < run["old"]["allocated_bytes"], f"{run['allocated_bytes']} and {run['old']['allocated_bytes']} bytes")
    expect(run["instructions"] is None or 5 < run["instructions"] <= 50000, f"{run['instructions']} instructions")
    expect(victim.gives() == before, "planning changed what the pool gives")
    state.refused(6, "say --yes", "patch", "apply", *asked, *named)
    expect(victim.gives() == before, "what was not confirmed was applied")
    applied = state.result("patch", "apply", *asked, *named, "--yes")
    patch = applied["patches"][0]
    expect(patch["state"] == "applied" and patch["id"] == plan["id"] and applied["dry_run"]["verdict"] == "accepted", f"{patch}")
    return plan, patch


@case("patch: the whole way on a Go program", matrix=True)
def go_way(lab):
    state = State(lab, f"way-{lab.toolchain or ''}")
    with Pool([lab.go("patched")]) as victim:
        victim.expect_gives("wasteful")
        plan, patch = whole_way(lab, state, victim, "main.pool", "main.newWasteful", "main.newFrugal")
        victim.expect_gives("frugal")
        state.refused(6, "patched already", "patch", "apply", "-p", victim.pid, "--pool", "main.pool", "--to",
                      "main.newWasteful", "--alloc-max", "1M", "--yes")
        now = state.result("patch", "status", "-p", victim.pid)
        expect(now["patches"][0]["state"] == "applied" and {w["name"] for w in now["watch"]} >= {"live heap", "pool bytes"},
               f"status: {now}")
        state.refused(2, "no patch|no plan|names no", "patch", "revert", "-p", victim.pid, "0" * 16)
        back = state.result("patch", "revert", "-p", victim.pid, plan["id"])
        expect(back["patches"][0]["state"] == "reverted", f"revert: {back}")
        victim.expect_gives("wasteful")
        victim.expect_running()
    state.refused((4, 6), "no such process|has ended", "patch", "revert", "-p", victim.pid, plan["id"])


@case("patch: the whole way on a C program")
def c_way(lab):
    state, option = State(lab, "c-way"), pool_file(lab)
    with Pool([lab.c("ctors")]) as victim:
        victim.expect_gives("hoarding")
        plan, _ = whole_way(lab, state, victim, "packets", "make_hoarding", "make_some", option)
        victim.expect_gives("some")
        for options in ([], [option]):
            now = state.result("patch", "status", "-p", victim.pid, *options)
            expect(now["patches"][0]["state"] == "applied", f"status {options}: {now}")
        # The journal is all that a revert needs.
        back = state.result("patch", "revert", "-p", victim.pid, "--all")
        expect(back["patches"][0]["state"] == "reverted", f"revert: {back}")
        victim.expect_gives("hoarding")
        other = lab.c("ctors", "-O2")
        with Pool([other]) as stranger:
            state.refused((4, 6), "another process|another build", "patch", "apply", "-p", stranger.pid, option, "--plan",
                          plan["id"], "--yes")


@case("patch: what cannot be asked, in one line")
def refusals(lab):
    state = State(lab, "refusals")
    with Pool([lab.go("patched")]) as victim:
        asked = ["-p", victim.pid]
        core = lab.folder / "patched.core"
        lab.result("snap", *asked, "-o", core)
        for code, pattern, words in [
                (2, "second word", ["patch"]),
                (2, "second word|no command", ["patch", "everything"]),
                (2, "which pool", ["patch", "plan", "--to", "main.newFrugal"]),
                (2, "which constructor", ["patch", "vet", "--pool", "main.pool"]),
                (2, "leave --pool out", ["patch", "vet", "--pool", "main.pool", "--plan", "1"]),
                (2, "no pool 'main.nothing'", ["patch", "plan", "--pool", "main.nothing", "--to", "main.newFrugal"]),
                (2, "main.newFrugal", ["patch", "plan", "--pool", "main.pool", "--to", "main.newFrugl"]),
                (2, "no sync.Pool|not mapped|can be read", ["patch", "plan", "--pool", "0x1000", "--to", "main.newFrugal"]),
                (6, "the constructor that", ["patch", "plan", "--pool", "main.pool", "--to", "main.newWasteful"]),
                (6, "null", ["patch", "plan", "--pool", "main.pool", "--to", "nil"]),
                (2, "no plan", ["patch", "vet", "--plan", "0123456789abcdef"]),
                (2, "takes milliseconds", ["patch", "vet", "--pool", "a", "--to", "b", "--hold-max", "soon"]),
                (2, "takes a size", ["patch", "vet", "--pool", "a", "--to", "b", "--alloc-max", "5%"]),
                (2, "takes no --yes", ["patch", "vet", "--pool", "a", "--to", "b", "--yes"]),
                (2, "which patch", ["patch", "revert"])]:
            try:
                state.refused((code, 4) if code == 2 else code, pattern, *words[:2], *asked, *words[2:])
            except Failure as failure:
                raise Failure(f"{' '.join(words)}: {failure}") from None
        none = state.result("patch", "dry-run", *asked, "--pool", "main.pool", "--to", "nil", "--expert")
        expect(none["verdict"] == "accepted" and none["plan"]["new_function"] == "nil" and none["vet"]["findings"][0]["kind"] == "null",
               f"nil, as an expert's word: {none['verdict']}: {none['why']}")
        target = ["-c", core, "-e", victim.command[0]]
        run = state.result("patch", "dry-run", *target, "--pool", "main.pool", "--to", "main.newFrugal")
        expect(run["verdict"] == "accepted" and run["plan"]["pid"] is None, f"on a core: {run['verdict']}: {run['why']}")
        state.refused(6, "nothing to patch", "patch", "apply", *target, "--pool", "main.pool", "--to", "main.newFrugal", "--yes")
        victim.expect_gives("wasteful")


def sandboxes(of):
    """Processes of the sandbox and its ghosts that the tool with this pid has started, or that nobody has any more."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if status(pid, "Name").startswith("holdfast-sandbo") and status(pid, "PPid") in (str(of), "1"):
            found.append(pid)
    return found


@case("patch: no constructor at all, as an expert's word, and the old one again")
def nothing(lab):
    state = State(lab, "nil")
    with Victim([lab.go("ctors")]) as victim:
        asked = ["-p", victim.pid]
        words = ["--pool", "main.values", "--to", "nil"]
        state.refused(6, "null", "patch", "apply", *asked, *words, "--yes")
        applied = state.result("patch", "apply", *asked, *words, "--expert", "--yes")["patches"][0]
        expect(applied["state"] == "applied" and applied["new_function"] == "nil", f"{applied}")
        pool = next(p for p in state.result("pools", *asked, "--limit", "0")["pools"] if p["name"] == "main.values")
        expect(pool["constructor"] is None, f"the pool has {pool['constructor']}")
        back = state.result("patch", "revert", *asked, "--all")["patches"][0]
        expect(back["state"] == "reverted", f"{back}")
        pool = next(p for p in state.result("pools", *asked, "--limit", "0")["pools"] if p["name"] == "main.values")
        expect(pool["constructor"], "the pool has no constructor again")


@case("patch: killed in a dry run, at any moment")
def killed(lab):
    lucky = random.Random(1)
    with Pool([lab.go("patched")]) as victim:
        words = ["patch", "dry-run", "-p", victim.pid, "--pool", "main.pool", "--to", "main.newFrugal"]
        start = time.monotonic()
        lab.result(*words)
        whole = time.monotonic() - start
        for _ in range(int(os.environ.get("HF_STOPS", 30))):
            tool = lab.start(*words)
            time.sleep(lucky.random() * whole)
            tool.send_signal(lucky.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            tool.communicate()
            wait_for(lambda: not sandboxes(tool.pid), 5, "a sandbox outlives the tool")
            victim.expect_running()
        victim.expect_gives("wasteful")


# ---- a thousand times -----------------------------------------------------------------------------------------------------

class Load:
    """Connections to a webpool that never rest; says at its end what they saw."""

    def __init__(self, program, address, connections):
        self.process = subprocess.Popen([str(program), "load", address, str(connections)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def end(self):
        said, _ = self.process.communicate("", timeout=60)
        return json.loads(said)


def rounds():
    return int(os.environ.get("HF_ROUNDS", 10))


def apply_at_last(state, again, *words):
    """What is inconclusive, or found no moment for it, is asked again, as anybody would: a few times."""
    for _ in range(20):
        run = state.lab.ask("patch", "apply", *words, "--yes", "--json", env=state.env)
        if run.returncode == 0:
            return json.loads(run.stdout)["result"]
        expect(run.returncode in (4, 6) and "try again" in run.stderr, f"apply: exit {run.returncode}: {run.stderr.strip()[-300:]}")
        again.append(run.stderr)
    raise Failure(f"apply, again and again: {run.stderr.strip()[-300:]}")


def soak(state, victim, pool, names, options=()):
    """Patches there and back: the stops of the stores, in milliseconds, and what had to be asked again."""
    stops, again = [], []
    for turn in range(rounds()):
        applied = apply_at_last(state, again, "-p", victim.pid, "--pool", pool, "--to", names[1], *options)
        back = state.result("patch", "revert", "-p", victim.pid, applied["patches"][0]["id"])
        expect(applied["patches"][0]["state"] == "applied" and back["patches"][-1]["state"] == "reverted", f"turn {turn}: {applied} {back}")
        stops += [applied["patches"][0]["stopped_us"] / 1e3, back["patches"][-1]["stopped_us"] / 1e3]
    return sorted(stops), again


def table(name, stops, seen):
    at = lambda share: stops[int(share * (len(stops) - 1))]
    print(f"        {name}: {len(stops) // 2} patches and reverts; a store stops it {at(0.5):.2f} ms (median), "
          f"{at(0.99):.2f} (99 %), {at(1):.2f} (most)" + "".join(f"; {k} {v}" for k, v in seen.items()))


@case("patch: again and again, an HTTP server under load, its collector busy")
def soak_go(lab):
    state, program = State(lab, "soak-go"), lab.go("webpool")
    with Victim([program, "serve"]) as victim:
        address = next(t["address"] for t in victim.truths if t["truth"] == "server")
        load = Load(program, address, 8)
        stops, again = soak(state, victim, "main.pool", ("main.newHuge", "main.newSmall"))
        seen = load.end()
        victim.expect_running()
        table("webpool", stops, {**seen, "asked again": len(again)})
        expect(seen["answers"] > 100 and not seen["lost"] and not seen["damaged"], f"the load saw {seen}")


@case("patch: again and again, a C program")
def soak_c(lab):
    state = State(lab, "soak-c")
    with Pool([lab.c("ctors")]) as victim:
        stops, again = soak(state, victim, "packets", ("make_hoarding", "make_some"), (pool_file(lab),))
        victim.expect_gives("hoarding")
        victim.expect_running()
        table("ctors", stops, {"objects": victim.total, "asked again": len(again)})
