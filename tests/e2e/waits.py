"""Goroutines that wait: which can never be woken, by what the victim knows, and by what its own runtime says."""
import os
import re

from harness import Failure, Victim, case, expect


def groups_of(lab, target, *words):
    """The groups of the program's own functions."""
    result = lab.result("goroutines", *target, "--limit", "0", *words)[0]
    expect(sum(g["count"] for g in result["groups"]) == result["matched"], "the groups are not all goroutines")
    expect(sum(g["count"] for g in result["groups"] if g["leaked"]) == result["leaked"], f"{result['leaked']} leaked, not by groups")
    return result, [g for g in result["groups"] if g["function"].startswith("main.")]


def expect_truths(groups, truths, what):
    wrong = []
    for truth in truths:
        if truth["truth"] != "waits":
            continue
        found = [g for g in groups if g["function"] == truth["function"]]
        if {g["leaked"] for g in found} != {truth["leaked"]}:
            wrong.append(f"{truth['function']}: leaked is {[(g['leaked'], g['count'], g['wait']) for g in found]}, not {truth['leaked']}")
        elif sum(g["count"] for g in found) != truth["count"]:
            wrong.append(f"{truth['function']}: {sum(g['count'] for g in found)}, not {truth['count']}")
        elif sum(g["retained_bytes"] for g in found) < truth["retained_min"]:
            wrong.append(f"{truth['function']}: retains {sum(g['retained_bytes'] for g in found)}, not {truth['retained_min']}")
        elif bad := {g["wait"] for g in found} - set(truth["waits"]):
            wrong.append(f"{truth['function']}: waits in {bad}, not {truth['waits']}")
    expect(not wrong, f"{what}: {len(wrong)} wrong: " + "; ".join(wrong[:5]))


def expect_wakers(groups):
    """The way to what can wake them begins at what is alive."""
    roots = {
        "main.receiveGlobal": "main.globalChan", "main.receiveFromMap": "main.globalMap", "main.receiveFromList": "main.globalList",
        "main.receiveFromClosure": "main.globalFunc", "main.receiveFromInterface": "main.globalAny",
        "main.receiveFromUnsafe": "main.globalBytes", "main.receiveFromStack": "main.sleeper", "main.lockOfGlobal": "main.globalPointer",
        "main.condOfGlobal": "main.globalCond", "main.waitForWorker": "main.worker", "main.waitForFinalizer": "main.load finalizer",
        "main.contextOfGlobal": "main.globalContext",
    }
    for group in groups:
        expect(not (group["leaked"] and group["waker"]), f"{group['function']} is leaked, but {group['waker']} wakes it")
        root = roots.get(group["function"])
        expect(not root or (group["waker"] and group["waker"]["root"]["name"].startswith(root)),
               f"{group['function']} is woken by {root}, not by {group['waker'] and group['waker']['root']}")


@case("waits: goroutines that nothing can wake, live and in a core", matrix=True)
def verdicts(lab):
    for env in ({}, {"GODEBUG": "asynctimerchan=0"}):
        with Victim([lab.go("waits")], env=env) as victim:
            result, groups = groups_of(lab, ["-p", victim.pid])
            expect_truths(groups, victim.truths, f"live, {env}")
            expect_wakers(groups)
            core = lab.folder / "waits.core"
            lab.result("snap", "-p", victim.pid, "-o", core)
            try:
                in_core, groups = groups_of(lab, ["-c", core])
            finally:
                os.unlink(core)
            expect_truths(groups, victim.truths, f"core, {env}")
            expect((in_core["leaked"], in_core["leaked_bytes"]) == (result["leaked"], result["leaked_bytes"]), "the core says otherwise")
            victim.expect_running()


@case("waits: the same of a stripped program", matrix=True)
def stripped(lab):
    with Victim([lab.go("waits", "-ldflags=-s -w")]) as victim:
        expect_truths(groups_of(lab, ["-p", victim.pid])[1], victim.truths, "stripped")


def with_profile(lab):
    """The victim with the profile built in, where this release can have it; else without."""
    os.environ["GOEXPERIMENT"] = "goroutineleakprofile"     # 1.26; since 1.27 it is always there
    try:
        return lab.go("waits", "-trimpath")
    except Failure as failure:
        expect("unknown GOEXPERIMENT" in str(failure), str(failure))
    finally:
        del os.environ["GOEXPERIMENT"]
    return lab.go("waits", "-trimpath")


@case("waits: a main goroutine that is parked is not leaked, but wakes no one", matrix=True)
def parked(lab):
    with Victim([lab.go("waits"), "park"]) as victim:
        result, groups = groups_of(lab, ["-p", victim.pid])
        by = {g["function"]: g for g in groups}
        expect(by["main.main"]["wait"] == "select (no cases)" and not by["main.main"]["leaked"], f"main: {by['main.main']}")
        expect(by["main.main"]["retained_bytes"] >= 1 << 20, f"main retains {by['main.main']['retained_bytes']}")
        expect(by["main.ofMain"]["leaked"] and by["main.ofMain"]["retained_bytes"] >= 4096, f"ofMain: {by['main.ofMain']}")
        expect(result["leaked_bytes"] < 1 << 20, f"{result['leaked_bytes']} are said to be leaked")
        heap = lab.result("overview", "-p", victim.pid)[0]
        expect(heap["heaps"][0]["leaked_goroutines"] == result["leaked"], f"overview says {heap['heaps'][0]['leaked_goroutines']} are leaked")
        expect(f"{result['leaked']} goroutines are leaked" in heap["verdict"]["text"], f"the verdict is {heap['verdict']}")
        page = lab.result("-p", victim.pid)[0]
        expect(page["goroutines"]["leaked"] == result["leaked"], f"the page says {page['goroutines']['leaked']} are leaked")


@case("waits: the verdicts are those of the runtime's own profile of leaks", matrix=True)
def as_the_runtime_says(lab):
    program = with_profile(lab)
    for env in ({}, {"GODEBUG": "asynctimerchan=0"}):
        with Victim([program, "profile"], env=env) as victim:
            theirs = next(t["leaked"] for t in victim.truths if t["truth"] == "profile")
            groups = groups_of(lab, ["-p", victim.pid])[1]
            expect_truths(groups, victim.truths, "with the profile")
            if theirs is None:      # this release has none
                return
            ours = {}
            for group in groups:
                if group["leaked"]:
                    ours[group["function"]] = ours.get(group["function"], 0) + group["count"]
            expect(ours == theirs, f"ours alone: {sorted(ours.items() - theirs.items())}, the runtime's alone: {sorted(theirs.items() - ours.items())}")


@case("waits: places, labels, ages, and a filter", matrix=True)
def details(lab):
    with Victim([lab.go("waits")]) as victim:
        target = ["-p", victim.pid]
        result, groups = groups_of(lab, target)
        by = {g["function"]: g for g in groups}
        labelled = by["main.labelledLost"]
        expect({(l["key"], l["value"], l["count"]) for l in labelled["labels"]} == {("handler", "/api/orders", 3), ("tenant", "t0", 2), ("tenant", "t1", 1)},
               f"labels are {labelled['labels']}")
        expect(not by["main.sendLost"]["labels"], f"labels of sendLost are {by['main.sendLost']['labels']}")
        site = by["main.sendLost"]["created_at"]
        expect(len(site) == 1 and site[0]["file"].endswith("waits/channels.go") and site[0]["line"] > 0 and site[0]["count"] == 3, f"started at {site}")
        expect(by["main.sendLost"]["created_by"] == "main.leakChannels", f"created by {by['main.sendLost']['created_by']}")
        for name in ("main.sendLost", "main.condLost"):
            oldest, newest = by[name]["oldest_wait_s"], by[name]["newest_wait_s"]
            expect(oldest is not None and 0 <= newest <= oldest < 60, f"{name} has waited for {newest} to {oldest} s")
        for pattern, some, other in (("pipeLost", "main.pipeLost", "main.sendLost"),
                                     (r"^io\.\(\*pipe\)\.read$", "main.pipeLost", "main.sendLost"),       # a frame
                                     ("^main\\.(leak|wake)Locks$", "main.lockLost", "main.sendLost"),     # who started them
                                     ("main.(sendLost|pipeLost)", "main.sendLost", "main.receiveLost")):
            chosen, kept = groups_of(lab, target, "--filter", pattern)
            names = {g["function"] for g in kept}
            expect(some in names and other not in names, f"--filter {pattern}: {sorted(names)}")
            expect(chosen["total"] == result["total"] and chosen["matched"] < result["total"], f"--filter {pattern}: {chosen['matched']} of {chosen['total']}")
        none = lab.result("goroutines", *target, "--filter", "no such function")[0]
        expect(none["groups"] == [] and none["matched"] == 0 and none["leaked"] == 0, f"{none}")
        lab.refused(2, "regular expression.*'\\(x'", "goroutines", *target, "--filter", "(x")
        lab.refused(2, "takes no --filter", "top", *target, "--filter", "x")
        text = lab.ask("goroutines", *target).stdout
        expect(re.search(rf"{result['leaked']} are leaked", text), f"the text does not say {result['leaked']} leaked: {text[:300]}")
