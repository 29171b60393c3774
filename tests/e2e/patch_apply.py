"""A pool's constructor is replaced in the running process and put back: gates, journal, kills at every step.

What vet and dry run say is given here: `patcher`, built beside the tool, applies what it is told."""
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from harness import VICTIMS, NotRun, Victim, case, expect, wait_for


class Pool(Victim):
    """A victim with a pool, that goes on to say what the pool gave it."""

    def __init__(self, command, **options):
        super().__init__(command, **options)
        self.places = {truth["name"]: truth["addr"] for truth in self.truths if truth["truth"] == "place"}
        self.got, self.total = collections.deque(maxlen=1000), 0
        threading.Thread(target=self._read_on, daemon=True).start()

    def _read_on(self):
        for line in self.process.stdout:
            self.got.append(json.loads(line))
            self.total += 1

    def gives(self, seconds=5):
        """What the pool gives from now on: of two, one was made after this was asked."""
        before = self.total
        wait_for(lambda: self.total >= before + 3 or self.process.poll() is not None, seconds, "it says nothing any more")
        expect(self.process.poll() is None, f"the victim ended: {self.process.returncode}")
        return self.got[-1]["from"]

    def expect_gives(self, name):
        # An object that was pooled before is given out once more.
        wait_for(lambda: self.gives() == name, 10, f"the pool does not give what {name} makes")


class Patcher:
    """Applies and reverts, with a journal of its own."""

    def __init__(self, lab, name):
        self.tool = pathlib.Path(sys.argv[1]).resolve().parent / "tests" / "patcher"
        if not self.tool.exists():
            raise NotRun(f"{self.tool} is not built")
        self.state = lab.folder / f"state-{name}"
        shutil.rmtree(self.state, ignore_errors=True)
        self.journal = self.state / "holdfast" / "journal.jsonl"

    def run(self, *words, fault=None, **options):
        env = {**os.environ, "XDG_STATE_HOME": str(self.state), **({"HF_FAULT": fault} if fault else {})}
        return subprocess.run([str(self.tool), *map(str, words)], env=env, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, check=False, **options)

    def ask(self, *words, **options):
        """The lines of a run that must succeed."""
        run = self.run(*words, **options)
        expect(run.returncode == 0, f"{words[0]}: exit {run.returncode}: {run.stderr.strip()[-300:]}")
        return [json.loads(line) for line in run.stdout.splitlines()]

    def one(self, *words, **options):
        answer = self.ask(*words, **options)
        expect(len(answer) == 1, f"{words[0]}: {len(answer)} patches, not one")
        return answer[0]

    def refused(self, code, pattern, *words, **options):
        run = self.run(*words, **options)
        expect(run.returncode == code, f"{words}: exit {run.returncode}, not {code}: {run.stderr.strip()[-300:]}")
        expect(run.stderr.count("\n") == 1 and re.search(pattern, run.stderr),
               f"{words}: the error does not match /{pattern}/: {run.stderr.strip()[:300]}")

    def patch(self, victim):
        return [victim.pid, victim.places["slot"], victim.places["ctor_wasteful"], victim.places["ctor_frugal"]]

    def events(self):
        with open(self.journal, encoding="utf-8") as lines:
            return [json.loads(line)["event"] for line in lines]


def back_and_forth(victim, patcher):
    victim.expect_gives("wasteful")
    applied = patcher.one("apply", *patcher.patch(victim))
    victim.expect_gives("frugal")
    expect(patcher.one("list", victim.pid)["state"] == "applied", "the list does not say that it is applied")
    patcher.refused(6, "patched already", "apply", *patcher.patch(victim))
    reverted = patcher.one("revert", victim.pid)
    expect(reverted["plan"] == applied["plan"] and reverted["state"] == "reverted" and reverted["changed"], f"{reverted}")
    victim.expect_gives("wasteful")
    expect(patcher.ask("revert", victim.pid) == [], "what is reverted is reverted again")
    expect(patcher.events() == ["intent", "applied", "reverting", "reverted"], f"the journal: {patcher.events()}")
    modes = [oct(os.stat(p).st_mode & 0o777) for p in (patcher.journal, patcher.journal.parent)]
    expect(modes == ["0o600", "0o700"], f"modes of the journal and its folder: {modes}")
    victim.expect_running()


@case("patch: a C constructor is replaced and put back")
def patch_c(lab):
    with Pool([lab.c("patched")]) as victim:
        back_and_forth(victim, Patcher(lab, "c"))


@case("patch: a Go constructor is replaced and put back", matrix=True)
def patch_go(lab):
    with Pool([lab.go("patched")]) as victim:
        back_and_forth(victim, Patcher(lab, "go"))


@case("patch: a Go constructor of a stripped program")
def patch_stripped(lab):
    with Pool([lab.go("patched", "-ldflags=-s -w")]) as victim:
        back_and_forth(victim, Patcher(lab, "stripped"))


@case("patch: the gates: whatever is not allowed changes nothing")
def gates(lab):
    patcher = Patcher(lab, "gates")
    with Pool([lab.c("patched")]) as victim:
        pid, slot, old, new = patcher.patch(victim)
        off = hex(int(slot, 16) + 4)
        for code, pattern, words in [
                (6, "without leave", [pid, slot, old, new, "yes=0"]),
                (6, "not dry-run", [pid, slot, old, new, "verdict=none"]),
                (6, "not dry-run", [pid, slot, old, new, "verdict=other"]),
                (6, "refused plan", [pid, slot, old, new, "verdict=refused"]),
                (6, "inconclusive", [pid, slot, old, new, "verdict=inconclusive"]),
                (6, "for experts", [pid, slot, old, "0"]),
                (6, "already", [pid, slot, old, old]),
                (6, "closure", [pid, slot, old, new, "heap=1"]),
                (6, "cannot be seen", [pid, slot, old, new, "heap=1", "expert=1"]),
                (4, "another program", [pid, slot, old, new, "build=00"]),
                (4, "as it was started then", [pid, slot, old, new, "start=1"]),
                (4, "by now, not", [pid, slot, new, old]),
                (6, "no place for a pointer", [pid, off, old, new]),
                (6, "not mapped", [pid, "0x10000", old, new]),
                (6, "shared memory", [pid, victim.places["shared"], old, new]),
                (6, "read-only memory", [pid, victim.places["sealed"], old, new])]:
            patcher.refused(code, pattern, "apply", *words)
            expect(victim.gives() == "wasteful", f"{pattern}: the pool has changed")
        if patcher.journal.exists():
            expect(set(patcher.events()) <= {"intent", "failed"}, f"the journal: {set(patcher.events())}")
        expect(patcher.ask("revert", pid) == [], "what failed is reverted")
        patcher.one("apply", pid, victim.places["heap"], old, new)
        patcher.one("apply", *patcher.patch(victim), "verdict=inconclusive", "accept=1")
        victim.expect_gives("frugal")
        victim.expect_running()


@case("patch: processes that are never patched")
def processes(lab):
    patcher = Patcher(lab, "processes")
    with Pool([lab.c("patched"), "undumpable"]) as victim:
        if os.stat(f"/proc/{victim.pid}/maps").st_uid != 0 or os.geteuid() == 0:
            user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            with Pool([lab.c("patched"), "undumpable"], prefix=user) as other:
                patcher.refused(6, "not dumpable", "apply", *patcher.patch(other))
                expect(other.gives() == "wasteful", "the pool has changed")
    if os.geteuid() != 0:
        raise NotRun("setuid programs and other users' processes take root")
    program = lab.folder / "setuid-patched"
    shutil.copy(lab.c("patched"), program)
    os.chown(program, 0, 0)
    os.chmod(program, 0o4755)
    with Pool([program], prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]) as victim:
        patcher.refused(6, "setuid", "apply", *patcher.patch(victim))
        expect(victim.gives() == "wasteful", "the pool has changed")
    with Pool([lab.c("patched")], prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]) as victim:
        patcher.one("apply", *patcher.patch(victim))      # root may
        victim.expect_gives("frugal")


@case("patch: a slot that somebody else sets is left alone, a process that ended is gone")
def foreign(lab):
    patcher, elsewhere = Patcher(lab, "foreign"), Patcher(lab, "elsewhere")
    with Pool([lab.c("patched")]) as victim:
        pid, slot, old, new = patcher.patch(victim)
        patcher.one("apply", pid, slot, old, new)
        elsewhere.one("apply", pid, slot, new, old)
        state = patcher.one("list", pid)
        expect(state["state"] == "reverted", f"{state}")
        elsewhere.one("revert", pid)
        patcher.one("revert", pid)
        heap = victim.places["heap"]
        patcher.one("apply", pid, heap, old, new)
        elsewhere.one("apply", pid, heap, new, "0x1000")
        said = patcher.one("revert", pid)
        expect(said["state"] == "foreign" and not said["changed"] and said["value"] == "0x1000", f"{said}")
        elsewhere.one("revert", pid)
        victim.expect_running()
    said = {p["state"] for p in patcher.ask("list", "all")}
    expect(said == {"gone"}, f"of a process that has ended: {said}")
    expect(all(not p["changed"] for p in patcher.ask("revert", "all")), "something was changed in a process that has ended")


@case("patch: an expiry survives the tool")
def expiry(lab):
    patcher = Patcher(lab, "expiry")
    with Pool([lab.c("patched")]) as first, Pool([lab.c("patched")]) as second:
        patcher.one("apply", *patcher.patch(first), "expires=1")
        patcher.one("apply", *patcher.patch(second), "expires=1000")
        expect(patcher.ask("revert", "all", "expired") == [], "reverted before its time")
        time.sleep(1.1)
        expect(patcher.one("revert", "all", "expired")["pid"] == first.pid, "the wrong one was reverted")
        first.expect_gives("wasteful")
        second.expect_gives("frugal")


def barrier(program):
    """The address of the word that says that Go's collector marks."""
    table = subprocess.run(["nm", str(program)], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.search(r"^(\w+) . runtime\.writeBarrier$", table, re.M)[1]


@case("patch: an allocated closure is replaced while the collector rests, and cannot come back", matrix=True)
def closure(lab):
    patcher, program = Patcher(lab, "closure"), lab.go("patched")
    with Pool([program]) as victim:
        words = [victim.pid, victim.places["closure_slot"], victim.places["closure"], victim.places["ctor_frugal"]]
        patcher.refused(6, "keep it alive", "apply", *words, "heap=1")
        for _ in range(10):      # the collector never rests for long
            run = patcher.run("apply", *words, "heap=1", "expert=1", "quiet=0x" + barrier(program))
            if run.returncode == 0:
                break
            expect(run.returncode == 4 and "at work at each" in run.stderr, run.stderr)
        expect(run.returncode == 0, f"never applied: {run.stderr}")
        wait_for(lambda: victim.gives() and victim.got[-1]["closure"] == "frugal", 10, "the pool gives what it gave")
        said = patcher.one("revert", victim.pid)
        expect(said["state"] == "applied" and not said["changed"] and "cannot come back" in said["why"], f"{said}")
        victim.expect_running()


# ---- killed at every step --------------------------------------------------------------------------------------


def steps(patcher, verb, words):
    """The names of the steps, of a run that is not killed."""
    run = patcher.run(*words, fault=f"{verb}:0")
    expect(run.returncode == 0, run.stderr)
    return re.findall(r"^fault \d+: (.*)$", run.stderr, re.M)


def kill_at_each(lab, program, name):
    """Kills apply, then revert, after each of their steps; what then holds is printed."""
    patcher, rows = Patcher(lab, name), []
    with Pool([program]) as victim:
        words = ["apply", *patcher.patch(victim)]
        names = {"apply": steps(patcher, "apply", words), "revert": steps(patcher, "revert", ["revert", victim.pid])}
        for verb, step in [(verb, n) for verb in names for n in range(1, len(names[verb]) + 1)]:
            if verb == "revert":
                patcher.one(*words)
            run = patcher.run(*(words if verb == "apply" else ["revert", victim.pid]), fault=f"{verb}:{step}")
            expect(run.returncode == -signal.SIGKILL, f"{verb}:{step}: exit {run.returncode}, not killed: {run.stderr}")
            victim.expect_running()
            state = patcher.one("list", victim.pid)
            frugal = state["state"] == "applied"
            expect(state["state"] in ("applied", "not-applied", "reverted"), f"{verb}:{step}: {state}")
            victim.expect_gives("frugal" if frugal else "wasteful")
            rows.append((verb, step, names[verb][step - 1], state["event"], state["state"], victim.got[-1]["from"]))
            patcher.ask("revert", victim.pid)
            victim.expect_gives("wasteful")
            victim.expect_running()
    for verb, least in (("apply", 7), ("revert", 7)):
        expect(len(names[verb]) >= least, f"{verb} has {len(names[verb])} steps only: {names[verb]}")
        expect({"applied", "not-applied" if verb == "apply" else "reverted"} <= {r[4] for r in rows if r[0] == verb},
               f"{verb}: both outcomes were to be seen: {rows}")
    print(f"        killed after   {'step':24} journal says  process is   pool gives   ({name})")
    for verb, step, what, event, state, gives in rows:
        print(f"        {verb + ' ' + str(step):14} {what:24} {event:13} {state:12} {gives}")


@case("patch: killed after each step, C: the process runs on, and the journal tells")
def killed_c(lab):
    kill_at_each(lab, lab.c("patched"), "kill-c")


@case("patch: killed after each step, Go: the process runs on, and the journal tells", matrix=True)
def killed_go(lab):
    kill_at_each(lab, lab.go("patched"), "kill-go")


# ---- what the process does not have yet --------------------------------------------------------------------------


def loads(lab, patcher, victim, library):
    applied = patcher.one("apply", victim.pid, victim.places["slot"], victim.places["ctor_wasteful"], 0,
                          f"file={library}", "function=ctor_loaded")
    expect(applied["state"] == "applied", f"{applied}")
    victim.expect_gives("loaded")
    expect(patcher.one("revert", victim.pid)["changed"], "not reverted")
    victim.expect_gives("wasteful")
    victim.expect_running()


@case("patch: a shared object is loaded, again and again")
def shared_object(lab):
    patcher = Patcher(lab, "loads")
    library = shared(lab, "sound")
    with Pool([lab.c("patched")]) as victim:
        for _ in range(3):
            loads(lab, patcher, victim, library)
        expect(patcher.events()[:3] == ["intent", "intent", "applied"], f"the journal: {patcher.events()[:3]}")


def shared(lab, name, *flags):
    out = lab.folder / f"{name}.so"
    subprocess.run(["cc", "-g", "-O1", "-shared", "-fPIC", *flags, "-o", str(out), str(VICTIMS / "c" / "replacement.c")],
                   check=True)
    return out


@case("patch: shared objects that are not loaded")
def refused_objects(lab):
    patcher = Patcher(lab, "no-loads")
    text = lab.folder / "text.so"
    text.write_text("no object\n")
    sound = shared(lab, "whole")
    cut = lab.folder / "cut.so"
    cut.write_bytes(sound.read_bytes()[:200])
    with Pool([lab.c("patched")]) as victim:
        for code, pattern, library, function in [
                (6, "has constructors", shared(lab, "own", "-DOWN_CODE"), "ctor_loaded"),
                (6, "thread-local", shared(lab, "threaded", "-DTHREADED"), "ctor_loaded"),
                (6, "needs libm", shared(lab, "needy", "-Wl,--no-as-needed", "-lm"), "ctor_loaded"),
                (4, "could not load", shared(lab, "lacking", "-DLACKING"), "ctor_loaded"),
                (2, "exports no function", sound, "not_a_function"),
                (2, "exports no function", sound, "nothing"),
                (2, "no ELF", text, "ctor_loaded"),
                (2, "cut short", cut, "ctor_loaded"),
                (2, "is a program", lab.c("patched"), "main"),
                (4, "cannot be read", lab.folder / "absent.so", "ctor_loaded"),
                (4, "no regular file", lab.folder, "ctor_loaded"),
                (2, "named from /", "sound.so", "ctor_loaded")]:
            patcher.refused(code, pattern, "apply", victim.pid, victim.places["slot"], victim.places["ctor_wasteful"], 0,
                            f"file={library}", f"function={function}")
            expect(victim.gives() == "wasteful", f"{pattern}: the pool has changed")
        victim.expect_running()
    with Pool([lab.c("patched", "-static")]) as victim:
        patcher.refused(6, "is static", "apply", victim.pid, victim.places["slot"], victim.places["ctor_wasteful"], 0,
                        f"file={sound}", "function=ctor_loaded")
        expect(victim.gives() == "wasteful", "the pool has changed")


@case("patch: killed after each step of a load: the process runs on")
def killed_load(lab):
    patcher, library = Patcher(lab, "kill-load"), shared(lab, "kill")
    with Pool([lab.c("patched")]) as victim:
        words = ["apply", victim.pid, victim.places["slot"], victim.places["ctor_wasteful"], 0, f"file={library}",
                 "function=ctor_loaded"]
        names = steps(patcher, "apply", words)
    expect("registers of a call set" in names, f"{names}")
    for step in range(1, len(names) + 1):
        with Pool([lab.c("patched")]) as victim:      # another: what was loaded stays
            words = ["apply", victim.pid, victim.places["slot"], victim.places["ctor_wasteful"], 0, f"file={library}",
                     "function=ctor_loaded"]
            run = patcher.run(*words, fault=f"apply:{step}")
            expect(run.returncode == -signal.SIGKILL, f"step {step}: exit {run.returncode}: {run.stderr}")
            victim.expect_running()
            state = patcher.one("list", victim.pid)["state"]
            victim.expect_gives("loaded" if state == "applied" else "wasteful")
            patcher.ask("revert", victim.pid)
            victim.expect_gives("wasteful")
            loads(lab, patcher, victim, library)
    print(f"        killed after each of {len(names)} steps: {', '.join(names)}")


@case("patch: a closure with another number, and back to a copy of what stood there", matrix=True)
def other_closure(lab):
    patcher, program = Patcher(lab, "closures"), lab.go("patched")
    with Pool([program]) as victim:
        places = victim.places
        for _ in range(10):
            run = patcher.run("apply", victim.pid, places["closure_slot"], places["closure"], 0, "heap=1",
                              "quiet=0x" + barrier(program), "code=" + places["closure_code"], "captured=512",
                              "copy0=" + places["closure_code"], "copy1=4096")
            if run.returncode != 4:      # the collector, or the first thread, was at work at each stop
                break
        expect(run.returncode == 0, f"not applied: {run.stderr}")
        wait_for(lambda: victim.gives() and victim.got[-1]["size"] == 512, 10, "the pool gives buffers of another size")
        expect(patcher.one("revert", victim.pid)["changed"], "not reverted")
        wait_for(lambda: victim.gives() and victim.got[-1]["size"] == 4096, 10, "the pool does not give what it gave")
        expect(patcher.one("list", victim.pid)["state"] == "reverted", "the list does not say so")
        victim.expect_running()


@case("patch: a function that has no funcval, in Go", matrix=True)
def funcval(lab):
    patcher = Patcher(lab, "funcval")
    with Pool([lab.go("patched")]) as victim:
        for _ in range(10):
            run = patcher.run("apply", victim.pid, victim.places["slot"], victim.places["ctor_wasteful"], 0,
                              "code=" + victim.places["frugal_code"])
            if run.returncode != 4:
                break
        expect(run.returncode == 0, f"not applied: {run.stderr}")
        victim.expect_gives("frugal")
        expect(patcher.one("revert", victim.pid)["changed"], "not reverted")
        victim.expect_gives("wasteful")
        victim.expect_running()


@case("patch: two at once: one of them applies")
def two_at_once(lab):
    patcher = Patcher(lab, "two")
    with Pool([lab.c("patched")]) as victim:
        for _ in range(10):
            codes = []
            threads = [threading.Thread(target=lambda: codes.append(patcher.run("apply", *patcher.patch(victim)).returncode))
                       for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            # 4: the process is traced by another of them at this moment.
            expect(codes.count(0) == 1 and set(codes) <= {0, 4, 6}, f"exits {codes}")
            expect(patcher.one("revert", victim.pid)["changed"], "not reverted")
        victim.expect_gives("wasteful")


def bench(lab, program, name, times):
    patcher = Patcher(lab, name)
    with Pool([program]) as victim:
        stops = sorted(line["stopped_us"] for line in patcher.ask("bench", *patcher.patch(victim), times))
        victim.expect_gives("wasteful")
        victim.expect_running()
    expect(len(stops) == times, f"{len(stops)} of {times} were applied")
    print(f"        {name}: {times} applies: stopped {stops[0]:.0f} us at least, {stops[times // 2]:.0f} median, {stops[-1]:.0f} at most")
    # Where more threads want to run than there are processors, a stop waits until each had its turn.
    expect(stops[times // 10] < 1000, f"all but a tenth of the applies stop it for {stops[times // 10]:.0f} us or more")


@case("patch: a stop of less than a millisecond", matrix=True)
def short_stops(lab):
    bench(lab, lab.c("patched"), "C", 100)
    bench(lab, lab.go("patched"), "Go", 100)
