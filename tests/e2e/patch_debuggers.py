"""Patches from inside gdb and LLDB: nothing is written before the user allows it, then one word, through the debugger."""
import json
import os
import re
import shutil
import subprocess
import time

from debuggers import QUIET, Terminal, ask_gdb, ask_lldb, expect_line, front_end, gdbserver, lldb_case, run_debugger
from harness import case, expect, status, wait_for
from patch_apply import Pool, shared

GO = "--pool main.pool --to main.newFrugal"
PARCELS = {"pools": [{"name": "parcels", "kind": "slab", "instance": "g_parcels", "constructor": "make", "object_size": {"value": 64},
                      "slabs": {"head": "shelves", "next": "next", "items": "slots", "used": "used"},
                      "free": {"head": "idle", "next_offset": 0}}]}


class State:
    """Plans and a journal of one test's own."""

    def __init__(self, lab, name):
        self.lab, self.folder = lab, lab.folder / f"state-{name}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.env = {"XDG_STATE_HOME": str(self.folder)}

    def events(self):
        journal = self.folder / "holdfast" / "journal.jsonl"
        return [json.loads(line)["event"] for line in journal.read_text().splitlines()] if journal.exists() else []

    def states(self, pid):
        """As the command line has them."""
        result, _ = self.lab.result("patch", "status", "-p", pid, env={**os.environ, **self.env})
        return [patch["state"] for patch in result["patches"]]


def parcels(lab):
    path = lab.folder / "parcels.json"
    path.write_text(json.dumps(PARCELS))
    return f"--pool-file {path} --pool parcels --to make_bare"


def until_it_can(ask):
    """A busy program may be held at a moment at which no call can be made; then it is to run for a moment."""
    for _ in range(15):
        said = ask()
        if not any("let the process run for a moment" in text or "is inconclusive" in text for text in said):
            return said
        time.sleep(0.05)
    expect(False, f"at none of 15 moments could a call be made: {said}")
    return None


def core_that_can(lab, program, path):
    """A core of a moment at which a call can be made."""
    with Pool([program]) as victim:
        for _ in range(15):
            path.unlink(missing_ok=True)
            lab.result("snap", "-p", victim.pid, "-o", path)
            if re.search("^verdict: accepted", lab.ask("patch", "dry-run", "-c", path, *GO.split()).stdout, re.M):
                return path
    expect(False, "of 15 cores none is of a moment at which a call could be made")
    return None


def expect_verdict(said, verdict):
    expect(re.search(rf"^verdict: {verdict}", said, re.M), f"the verdict is not {verdict}: {said[-600:]}")
    expect("the debugger holds the process" in said and "was stopped for" not in said and "target held" not in said,
           f"it says that we stopped the process: {said[-900:]}")


# ---- gdb ----------------------------------------------------------------------------------------------------------


def way_in_gdb(lab, victim, state, what, use, old, new):
    """Vet, dry run, apply without leave and with it, revert; what the victim says in between."""
    def ask(*questions):
        return until_it_can(lambda: ask_gdb(lab, ["-p", victim.pid], *questions, env=state.env))

    victim.expect_gives(old)
    said = ask("show holdfast allow-write", f"hf patch vet {what}", f"hf patch dry-run {what}", f"hf patch apply {what}",
               f"hf patch apply {what} --yes", "info inferiors")
    expect("may not write" in said[0] and "set holdfast allow-write on" in said[0], f"the parameter: {said[0]}")
    expect("its code: accepted" in said[1], f"vet: {said[1]}")
    expect_verdict(said[2], "accepted")
    for line in said[3:5]:
        expect_line(line, f"process {victim.pid} .*without leave: set holdfast allow-write on$")
    expect(said[5].count("process ") == 1, f"gdb has another process by now: {said[5]}")
    expect(state.events() == [], f"the journal says {state.events()} of what was not allowed")
    victim.expect_gives(old)
    victim.expect_running()

    said = ask("set holdfast allow-write on", "show holdfast allow-write", f"hf patch apply {what}", "hf patch status --json",
               "info inferiors", f"tbreak {use}", "continue", "hf patch status")
    expect(said[0] == "" and "may write" in said[1], f"the parameter: {said[:2]}")
    expect_verdict(said[2], "accepted")
    expect(said[2].startswith("plan "), f"somebody else speaks, too: {said[2][:200]}")
    answer = json.loads(said[3])
    expect(answer["stopped_ms"] == 0 and [p["state"] for p in answer["result"]["patches"]] == ["applied"], f"status: {said[3]}")
    expect(said[4].count("process ") == 1, f"gdb has another process by now: {said[4]}")
    expect("applied" in said[7], f"status after it ran: {said[5:]}")
    watched = {row["name"]: row for row in answer["result"]["watch"]}
    expect("allocation rate" not in watched or watched["allocation rate"]["after"] is None, f"a rate of what stood still: {watched}")
    expect(state.events() == ["intent", "applied"], f"the journal: {state.events()}")
    victim.expect_gives(new)
    victim.expect_running()
    expect(state.states(victim.pid) == ["applied"], "the command line does not say that it is applied")

    said = ask("hf patch revert --all", "set holdfast allow-write on", f"hf patch apply {what}", "hf patch revert",
               "hf patch revert 0123456789abcdef", "hf patch revert --all", "hf patch revert --all")
    expect_line(said[0], "without leave: set holdfast allow-write on$")
    expect_line(said[2], "is the constructor that the pool .* has|patched already")
    expect_line(said[3], "which patch")
    expect_line(said[4], "no patch 0123456789abcdef of this process")
    expect("reverted" in said[5] and "No patch" in said[6], f"revert: {said[5:]}")
    expect(state.events() == ["intent", "applied", "reverting", "reverted"], f"the journal: {state.events()}")
    victim.expect_gives(old)
    victim.expect_running()


@case("patch: in gdb: a Go constructor is vetted, run dry, replaced and put back", matrix=True)
def gdb_go(lab):
    with Pool([lab.go("patched")]) as victim:
        way_in_gdb(lab, victim, State(lab, "gdb-go"), GO, "main.use", "wasteful", "frugal")


@case("patch: in gdb: a C constructor is vetted, run dry, replaced and put back")
def gdb_c(lab):
    with Pool([lab.c("hoarder")]) as victim:
        way_in_gdb(lab, victim, State(lab, "gdb-c"), parcels(lab), "use", "large", "bare")


@case("patch: in gdb: what is patched runs on under gdb, and what is known of it before is forgotten")
def gdb_continues(lab):
    state = State(lab, "gdb-continues")
    kept = "python print(holdfast_gdb_commands.front.session is not None)"
    with Pool([lab.c("hoarder")]) as victim:
        said = ask_gdb(lab, ["-p", victim.pid], "set holdfast allow-write on", f"hf patch apply {parcels(lab)}", kept, "tbreak make_bare",
                       "continue", "bt 2", "hf patch revert --all", "tbreak make_large", "continue", "bt 2", env=state.env)
        expect("applied" in said[1] and said[2] == "False\n", f"{said[1:3]}")
        expect("make_bare" in said[5] and "use" in said[5], f"it does not come by the new constructor: {said[4:6]}")
        expect("reverted" in said[6] and "make_large" in said[9], f"it does not come by the old constructor: {said[6:]}")
        victim.expect_running()


@case("patch: in gdb: what is refused, and mistakes: one line each, and nothing is written")
def gdb_refuses(lab):
    state, allow = State(lab, "gdb-refuses"), "set holdfast allow-write on"
    file = parcels(lab)
    with Pool([lab.c("hoarder")]) as victim:
        said = ask_gdb(lab, ["-p", victim.pid], allow, f"hf patch apply {file.replace('make_bare', 'make_counting')}",
                       "set may-write-memory off", f"hf patch apply {file}", "set may-write-memory on", "hf patch", "hf patch frob",
                       "hf patch apply", "hf patch apply --pool parcels --to make_bare", f"hf patch vet {file.replace('make_bare', 'main')}",
                       "hf patch apply -p 1", "hf patch plan --pool nothing --to make_bare", "set holdfast allow-write off",
                       f"hf patch apply {file}", "set holdfast", "hf patch apply --plan 0123456789abcdef", env=state.env)
        for i, pattern in ((1, r"refused \(side-effect\): writes given"), (3, "cannot be written through the debugger"),
                           (5, "second word"), (6, "second word"), (7, "which pool"), (8, "."), (10, "leave -p out"), (11, "."),
                           (13, "without leave"), (14, "set holdfast allow-write on"), (15, "without leave|plan")):
            expect_line(said[i], pattern)
        expect("signature" in said[9], f"of another type: {said[9][-300:]}")
        expect("Traceback" not in "".join(said) and "Python Exception" not in "".join(said), f"a traceback: {said}")
        expect(set(state.events()) <= {"intent", "failed"}, f"the journal: {state.events()}")
        expect(victim.gives() == "large", "the pool has changed")
        victim.expect_running()


@case("patch: in gdb: what takes more than a word is left to the command line")
def gdb_more_than_a_word(lab):
    state = State(lab, "gdb-more")
    closure = "--pool main.closures --to closure:512 --expert"
    with Pool([lab.go("patched")]) as victim:
        said = until_it_can(lambda: ask_gdb(lab, ["-p", victim.pid], "set holdfast allow-write on", f"hf patch dry-run {closure}",
                                            f"hf patch apply {closure}", env=state.env))
        expect_verdict(said[1], "accepted")
        expect_line(said[2], f"while a debugger holds it: detach.* -p {victim.pid}")
        expect(state.events() == [], f"the journal: {state.events()}")
        victim.expect_running()
    with Pool([lab.c("hoarder")]) as victim:
        said = ask_gdb(lab, ["-p", victim.pid], "set holdfast allow-write on",
                       f"hf patch apply {parcels(lab).replace('make_bare', str(shared(lab, 'gdb')) + ':ctor_loaded')}", env=state.env)
        expect_line(said[1], "detach.*from the command line")
        expect(state.events() == [], f"the journal: {state.events()}")
        victim.expect_running()


@case("patch: in gdb: the sandbox is found where both are installed")
def gdb_installed(lab):
    state, root = State(lab, "gdb-installed"), lab.folder / "installed"
    folder, programs = root / "lib" / "x86_64-linux-gnu" / "holdfast", root / "libexec" / "holdfast"
    shutil.copytree(front_end(lab, "gdb").parent, folder)
    programs.mkdir(parents=True)
    (folder / "holdfast-sandbox").rename(programs / "holdfast-sandbox")
    with Pool([lab.c("hoarder")]) as victim:
        command = ["gdb", *QUIET, "-batch", "-p", victim.pid, "-ex", f"source {folder}/holdfast_gdb.py", "-ex",
                   f"hf patch dry-run {parcels(lab)}"]
        expect_verdict(run_debugger(command, state.env), "accepted")
        shutil.rmtree(programs)
        lines = [line for line in run_debugger(command, state.env).split("\n") if "holdfast" in line]
        expect_line("\n".join(lines), "holdfast-sandbox, is not beside")


@case("patch: in gdb: a core is vetted and run dry, and there is nothing to patch in it", matrix=True)
def gdb_core(lab):
    state, program = State(lab, "gdb-core"), lab.go("patched")
    core = core_that_can(lab, program, lab.folder / "patched.core")
    said = ask_gdb(lab, [program, core], f"hf patch vet {GO}", f"hf patch dry-run {GO}", f"hf patch apply {GO}", "set holdfast allow-write on",
                   f"hf patch apply {GO}", "hf patch revert --all", "hf patch status", env=state.env)
    core.unlink()
    expect("its code: accepted" in said[0], f"vet: {said[0]}")
    expect(re.search("^verdict: accepted", said[1], re.M) and "there is nothing to patch" in said[1], f"dry run: {said[1][-500:]}")
    for line in (said[2], *said[4:]):
        expect_line(line, "a core has nothing to patch")
    expect(state.events() == [], "something is in the journal")


@case("patch: in gdb: a process behind gdbserver is vetted and run dry, and not patched")
def gdb_remote(lab):
    state = State(lab, "gdb-remote")
    with Pool([lab.go("patched")]) as victim:
        def ask():
            with gdbserver(victim.pid) as address:
                return ask_gdb(lab, ["-ex", f"target remote {address}"], "set holdfast allow-write on", f"hf patch vet {GO}",
                               f"hf patch dry-run {GO}", f"hf patch apply {GO}", "hf patch revert --all", "hf patch status", "detach",
                               env=state.env)
        said = until_it_can(ask)
        expect("its code: accepted" in said[1], f"vet: {said[1]}")
        expect_verdict(said[2], "accepted")
        expect("not of this machine" in said[2] and "Next:" not in said[2], f"dry run: {said[2][-300:]}")
        for line in said[3:6]:
            expect_line(line, "not a process of this machine")
        expect(state.events() == [] and victim.gives() == "wasteful", "something was patched")
        victim.expect_running()


@case("patch: in gdb: Tab completes pools, constructors that fit, and patches")
def gdb_completes(lab):
    state = State(lab, "gdb-completes")
    with Pool([lab.go("patched")]) as victim:
        lines = {"hf pat": ["hf patch"], "hf patch ap": ["hf patch apply"], "hf patch vet --po": ["hf patch vet --pool", "hf patch vet --pool-file"],
                 "hf patch vet --pool main.": ["hf patch vet --pool main.closures", "hf patch vet --pool main.pool"],
                 "hf patch vet --pool main.pool --to main.": ["hf patch vet --pool main.pool --to main.newFrugal"],
                 "hf patch vet --to main.n": ["hf patch vet --to main.newFrugal", "hf patch vet --to main.newWasteful"],
                 "hf patch revert ": [], "hf patch revert --a": ["hf patch revert --all"], "hf patch vet main.": [],
                 "set holdfast a": ["set holdfast allow-write"]}
        said = ask_gdb(lab, ["-p", victim.pid], *("complete " + line for line in lines), env=state.env)
        for (line, wanted), answer in zip(lines.items(), said):
            expect(answer.split("\n")[:-1] == wanted, f"`{line}` becomes {answer}")
    with Pool([lab.c("hoarder")]) as victim:
        file = parcels(lab).split(" --to ")[0]
        said = ask_gdb(lab, ["-p", victim.pid], "set holdfast allow-write on", f"hf patch apply {file} --to make_bare", "complete hf patch revert ",
                       f"complete hf patch vet {file} --to make_", f"complete hf patch vet {file[:-2]}", "hf patch revert --all", env=state.env)
        plan = re.search(r"^plan (\w+)", said[1], re.M)[1]
        expect(said[2] == f"hf patch revert {plan}\n", f"patches: {said[2]}")
        expect(said[3].split() == f"hf patch vet {file} --to make_counting hf patch vet {file} --to make_large hf patch vet {file} --to make_never".split(), f"C: {said[3]}")
        expect(said[4] == f"hf patch vet {file}\n", f"described pools: {said[4]}")


@case("patch: in gdb: the sandbox's processes are nothing to gdb's event loop, and end with a question that is interrupted")
def gdb_terminal(lab):
    state = State(lab, "gdb-terminal")
    with Pool([lab.c("hoarder")]) as victim:
        gdb = Terminal(["-p", victim.pid], state.env)
        try:
            gdb.ask("set style enabled off")
            gdb.ask(f"source {front_end(lab, 'gdb')}")
            for _ in range(5):
                said = gdb.ask(f"hf patch dry-run {parcels(lab)}")
                expect(b"verdict: accepted" in said, f"{said[-400:]}")
            said = gdb.ask("hf patch apply " + parcels(lab))
            expect(b"without leave" in said and b"Type yes" not in said, f"it asks, or says nothing: {said[-300:]}")
            gdb.ask("set holdfast allow-write on")
            expect(b"applied" in gdb.ask("hf patch apply " + parcels(lab)), "not applied")
            gdb.say("continue")
            victim.expect_gives("bare")
            gdb.process.send_signal(2)
            expect(b"SIGINT" in gdb.wait(), "it does not stop")
            expect(gdb.ask("info inferiors").count(b"process ") == 1, "gdb has another process by now")
            expect(children(gdb.process.pid) == [], f"left behind: {children(gdb.process.pid)}")
            expect(b"reverted" in gdb.ask("hf patch revert --all"), "not reverted")
            gdb.ask("detach")
            victim.expect_gives("large")
        finally:
            gdb.end()
        wait_for(lambda: status(victim.pid, "TracerPid") == "0", 5, "still traced")
        victim.expect_running()


def children(pid):
    run = subprocess.run(["ps", "-o", "comm=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True, check=False)
    return run.stdout.split()


@case("patch: in gdb: a dry run ends at once at Ctrl-C, and takes its sandbox along")
def gdb_interrupted(lab):
    state = State(lab, "gdb-interrupted")
    with Pool([lab.c("hoarder")]) as victim:
        gdb = Terminal(["-p", victim.pid], state.env)
        try:
            gdb.ask("set style enabled off")
            gdb.ask(f"source {front_end(lab, 'gdb')}")
            gdb.say("hf patch dry-run --cpu-max 1000 " + parcels(lab).replace("make_bare", "make_never"))
            wait_for(lambda: "holdfast-sandbo" in children(gdb.process.pid), 20, "no sandbox is started")
            time.sleep(0.2)
            start = time.monotonic()
            gdb.process.send_signal(2)
            said = gdb.wait()
            expect(b"holdfast: interrupted" in said, f"{said[-300:]}")
            expect(time.monotonic() - start < 0.5, f"it took {time.monotonic() - start:.3f} s to end")
            expect(children(gdb.process.pid) == [], f"left behind: {children(gdb.process.pid)}")
            expect(b"verdict: accepted" in gdb.ask("hf patch dry-run " + parcels(lab)), "the next question is not answered")
        finally:
            gdb.end()
        victim.expect_running()


@case("patch: in gdb: from Python, in JSON")
def gdb_python(lab):
    state = State(lab, "gdb-python")
    ask = ("python import json; a = json.loads(holdfast_gdb_commands.front.ask(['patch', 'dry-run', '--json', *{words!r}.split()], False, 0)); "
           "print(a['result']['verdict'], a['stopped_ms'], a['result']['plan']['held'])")
    with Pool([lab.c("hoarder")]) as victim:
        said = ask_gdb(lab, ["-p", victim.pid], ask.format(words=parcels(lab)),
                       ask.format(words=parcels(lab).replace("make_bare", "make_counting")), env=state.env)
        expect(said == ["accepted 0.0 True\n", "refused 0.0 True\n"], f"{said}")
        victim.expect_running()


# ---- LLDB ---------------------------------------------------------------------------------------------------------


def way_in_lldb(lab, lldb, victim, state, what, old, new):
    def ask(*questions):
        return until_it_can(lambda: ask_lldb(lab, lldb, ["-p", victim.pid], *questions, env=state.env))

    victim.expect_gives(old)
    said = ask("hf allow-write", f"hf patch vet {what}", f"hf patch dry-run {what}", f"hf patch apply {what} --yes", "hf allow-write maybe")
    runs = "no fs_base" not in said[2]
    expect("may not write" in said[0] and "holdfast allow-write on" in said[0], f"the setting: {said[0]}")
    expect("its code: accepted" in said[1], f"vet: {said[1]}")
    if runs:
        expect_verdict(said[2], "accepted")
        expect_line(said[3], f"process {victim.pid} .*without leave: holdfast allow-write on$")
    else:
        expect(lldb.release == "14", "this LLDB is to give fs_base")
        expect_line(said[2], f"holdfast -p {victim.pid}")
        expect_line(said[3], f"holdfast -p {victim.pid}")
    expect_line(said[4], "on or off")
    expect(state.events() == [], f"the journal says {state.events()} of what was not allowed")
    victim.expect_gives(old)

    if not runs:
        lab.result("patch", "apply", "-p", victim.pid, *what.split(), "--yes", env={**os.environ, **state.env})
    said = ask("hf allow-write on", f"hf patch apply {what}" if runs else "hf patch status", "hf patch status")
    expect("may write" in said[0], f"the setting: {said[0]}")
    expect("applied" in said[1] and "applied" in said[2], f"apply, status: {said[1:]}")
    victim.expect_gives(new)
    victim.expect_running()
    expect(state.states(victim.pid) == ["applied"], "the command line does not say that it is applied")

    said = ask("hf patch revert --all", "hf allow-write on", "hf patch revert --all", "hf allow-write off", "hf patch revert --all")
    expect_line(said[0], "without leave: holdfast allow-write on$")
    expect("reverted" in said[2], f"revert: {said[2]}")
    expect_line(said[4], "without leave: holdfast allow-write on$")
    expect(state.events() == ["intent", "applied", "reverting", "reverted"], f"the journal: {state.events()}")
    victim.expect_gives(old)
    victim.expect_running()


@lldb_case("a Go constructor is replaced and put back: patch")
def lldb_go(lab, lldb):
    with Pool([lab.go("patched")]) as victim:
        way_in_lldb(lab, lldb, victim, State(lab, f"lldb-go-{lldb.release}"), GO, "wasteful", "frugal")


@lldb_case("a C constructor is replaced and put back: patch")
def lldb_c(lab, lldb):
    with Pool([lab.c("hoarder")]) as victim:
        way_in_lldb(lab, lldb, victim, State(lab, f"lldb-c-{lldb.release}"), parcels(lab), "large", "bare")


@lldb_case("there is nothing to patch in a core: patch")
def lldb_core(lab, lldb):
    state, program = State(lab, "lldb-core"), lab.go("patched")
    core = core_that_can(lab, program, lab.folder / "patched-lldb.core")
    said = ask_lldb(lab, lldb, [program, "-c", core], f"hf patch dry-run {GO}", "hf allow-write on", f"hf patch apply {GO}", env=state.env)
    core.unlink()
    expect(re.search("^verdict: accepted", said[0], re.M), f"dry run: {said[0][-500:]}")
    expect_line(said[2], "a core has nothing to patch")
