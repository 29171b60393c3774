"""The front ends for gdb and LLDB: the same answers as the command line's, and no harm done."""
import contextlib
import difflib
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

from cores import core_of
from harness import HERE, NotRun, Victim, case, expect, status, wait_for

MARK = "=== next ==="
QUIET = ["-nx", "-q", "-iex", "set debuginfod enabled off", "-iex", "set auto-load no", "-iex", "set pagination off"]


def front_end(lab, name):
    """The front end beside its extension, as where they are installed."""
    folder = lab.folder / "front"
    if not folder.exists():
        folder.mkdir()
        built = pathlib.Path(sys.argv[1]).resolve().parent / "python" / "holdfast.abi3.so"
        expect(built.exists(), f"there is no {built}: was it built without Python's headers?")
        shutil.copy(built, folder)
        sandbox = built.parent.parent / "sandbox" / "holdfast-sandbox"
        if sandbox.exists():
            shutil.copy(sandbox, folder)
        for file in (HERE.parent.parent / "python").glob("*.py"):
            shutil.copy(file, folder)
    return folder / f"holdfast_{name}.py"


def run_debugger(command, env=None, lines=""):
    try:
        run = subprocess.run([str(word) for word in command], input=lines, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace", timeout=300, env={**os.environ, **(env or {})})
    except FileNotFoundError:
        expect(False, f"{command[0]} is missing: ./run setup installs it")
    return run.stdout


def ask_gdb(lab, target, *questions, env=None):
    """What gdb says to each question."""
    command = ["gdb", *QUIET, "-batch", *target, "-ex", f"source {front_end(lab, 'gdb')}"]
    for question in questions:
        command += ["-ex", f"echo {MARK}\\n", "-ex", question]
    answers = run_debugger([*command, "-ex", f"echo {MARK}\\n"], env).split(MARK + "\n")
    expect(len(answers) == len(questions) + 2, f"gdb ended early: {answers[-1][-400:]}")
    return answers[1:-1]


class Lldb:
    """One release: Debian's, or one that ./run setup unpacked, with what it needs to find its parts."""

    def __init__(self, path):
        self.path, root = path, pathlib.Path(path).resolve().parent.parent
        self.release = re.search(r"llvm-(\d+)", str(root))[1]
        # Its Python is Debian's, whichever is first on PATH; Debian's 14 looks for its own modules elsewhere.
        self.env = {"PATH": "/usr/bin:" + os.environ["PATH"], "PYTHONPATH": ":".join(map(str, root.glob("lib/python3.*/dist-packages"))),
                    "LD_LIBRARY_PATH": f"{root}/lib:{root.parent}/x86_64-linux-gnu"}


def all_lldbs():
    folders = os.environ["PATH"].split(":")
    paths = [path for folder in folders for path in pathlib.Path(folder or ".").glob("lldb-[0-9]*")]
    paths += (HERE.parent.parent / ".venv").glob("lldb-*/usr/bin/lldb-[0-9]*")
    found = {}
    for path in paths:
        if "llvm-" in str(path.resolve()):
            found.setdefault(path.resolve(), Lldb(path))
    return sorted({lldb.release: lldb for lldb in found.values()}.values(), key=lambda lldb: int(lldb.release))


LLDBS = all_lldbs()


def lldb_case(name, **options):
    """Registers a test: a function of the Lab and an LLDB, for each LLDB that is here."""
    def register(function):
        for lldb in LLDBS:
            case(f"LLDB {lldb.release}: {name}", **(options if lldb is LLDBS[0] else {}))(lambda lab, lldb=lldb: function(lab, lldb))
        return function
    return register


@case("LLDB: an old one and a newer one are here")
def lldbs_are_here(_):
    expect(any(lldb.release == "14" for lldb in LLDBS) or not shutil.which("dpkg"), "lldb-14 is missing: ./run setup installs it")
    if not any(int(lldb.release) > 14 for lldb in LLDBS):
        raise NotRun("a newer one than 14: ./run setup could not get it")


def ask_lldb(lab, lldb, target, *questions, env=None):
    lines = ["settings set term-width 100", f"command script import {front_end(lab, 'lldb')}", *questions, "detach"]
    said = run_debugger([lldb.path, "-x", *target], {**lldb.env, **(env or {})}, "".join(line + "\n" for line in lines))
    answers = []
    for question in questions:
        _, found, rest = said.partition(f"(lldb) {question}\n")
        expect(found, f"LLDB was not asked '{question}': {said[-400:]}")
        answer, prompt, said = rest.partition("(lldb) ")
        answers.append(answer)
        said = prompt + said
    return answers


def questions_on(lab, truths):
    """Some to each command but those that write a file, which are asked below, and those on patches (patch_debuggers.py)."""
    address = next(t["address"] for t in truths if t["truth"] == "type")
    questions = ["page", "overview", f"info {address}", f"info {address} --show-values", "info main.sessionCache &main.headers", f"why {address}",
                 "why main.Session --max 2", "why main.sessionCache", "top", "top --by root --limit 3", "dominators",
                 f"dominators main.sessionCache {address} --min 64K", "goroutines", "goroutines --filter main", "pools", "slack",
                 "spans", "memstats", "overview --json", f"why {address} --json"]
    listed = lab.ask("--help").stdout.partition("\ncommands\n")[2].partition("\n\n")[0]
    left = set(re.findall(r"^  (\w+)", listed, re.M)) - {question.split()[0] for question in questions} - {"snap", "export", "patch"}
    expect(listed and not left, f"nothing is asked of {left}")
    return questions


def same_text(lab, core, question, said):
    run = lab.ask(*question.split(), "-c", core)
    expect(run.returncode == 0, f"`{question}`: {run.stderr}")
    wanted = run.stdout.replace(f" -c {core}", "")
    if question == "page":      # what to ask next is laid out by the length of the target's name
        expect("holdfast top --by root" in said and "holdfast why " in said, f"what to ask next: {said[-500:]}")
        wanted, said = (text.partition("\nnext\n")[0] for text in (wanted, said))
    # LLDB takes white space off the end.
    differ = "\n".join(difflib.unified_diff(wanted.rstrip().split("\n"), said.rstrip().split("\n"), "the command line", "the debugger", "", "", 1, ""))
    expect(not differ, f"`{question}`: {differ[:1000]}")


def chain_of(truths):
    return next(t for t in truths if t["truth"] == "why" and t["root"] == "main.sessionCache")


def expect_chain(said, truth):
    expect(re.search(rf"^1\. {re.escape(truth['root'])}", said, re.M) and "global " + truth["root"] in said, f"no chain: {said[:500]}")


def expect_line(said, pattern):
    """An error of one line that says who speaks."""
    lines = said.strip("\n").split("\n")
    expect(len(lines) == 1 and re.match(rf"(error: )?holdfast: .*{pattern}", lines[0]), f"no line like /{pattern}/: {said[:500]}")


MISTAKES = (("overvew", "did you mean 'overview'"), ("why main.nothing", "main.nothing"), ("why 0x10", "no heap object"), ("why", "needs"),
            ("top --limit x", "'x'"), ("top -p 1", "leave -p out"), ("snap", "--output"), ("why --bogus 1", "--bogus"))


@case("gdb: a core, every command as on the command line", matrix=True)
def gdb_core(lab):
    with core_of(lab) as (core, program, truths):
        questions = questions_on(lab, truths)
        for question, said in zip(questions, ask_gdb(lab, [program, core], *("holdfast " + q for q in questions))):
            same_text(lab, core, question, said)
        for (_, pattern), said in zip(MISTAKES, ask_gdb(lab, [program, core], *("hf " + words for words, _ in MISTAKES))):
            expect_line(said, pattern)
        other = ask_gdb(lab, [lab.go("holds"), core], "hf overview")[0]
        expect_line(other, "build|belong|match")


@case("gdb: a live process: expressions, help, pipe, one line an error", matrix=True)
def gdb_live(lab):
    with Victim([lab.go("leaky")]) as victim:
        truth = chain_of(victim.truths)
        said = ask_gdb(lab, ["-p", victim.pid], f"holdfast why {truth['address']}", "hf why main.sessionCache", "hf info $pc", "hf why x=3",
                       "hf info victim()", "pipe holdfast top | head -n 2", "help holdfast why", "complete holdfast go", "info threads",
                       f"source {front_end(lab, 'gdb')}", "hf info (long)$sp+8", "hf info main.lastUpload", "hf info &main.headers",
                       "show language", *("hf " + words for words, _ in MISTAKES))
        expect_chain(said[0], truth)
        expect("map[" in said[1] and "global main.sessionCache" in said[1], f"of a map: {said[1]}")
        expect("code" in said[2], f"of a register: {said[2]}")
        expect_line(said[3], "x=3")
        expect_line(said[4], "victim")
        expect(len(said[5].split("\n")) == 3 and "live objects" in said[5], f"piped: {said[5]}")
        expect("example: holdfast why main.Session" in said[6] and "-p 1234" not in said[6], f"help: {said[6]}")
        expect(said[7] == "holdfast goroutines\n", f"completion: {said[7]}")
        expect("* 1 " in said[8], f"another thread is selected now: {said[8]}")
        expect(not said[9], f"sourced twice: {said[9]}")
        expect("memory" in said[10] or "stack" in said[10], f"of an expression in C: {said[10]}")
        expect_line(said[11], "is nil")
        expect("global variable main.headers" in said[12], f"of an address: {said[12]}")
        expect('"auto' in said[13], f"the language was changed: {said[13]}")
        for (_, pattern), line in zip(MISTAKES, said[14:]):
            expect_line(line, pattern)
        victim.expect_running()
        core = lab.folder / "of-gdb.core"
        said = ask_gdb(lab, ["-p", victim.pid], f"hf snap -o {core}")[0]
        expect(core.exists(), f"no snap: {said}")
        lab.result("why", "-c", core, truth["address"])
        core.unlink()
        victim.expect_running()


@case("gdb: Tab completes commands, options, variables, types and files")
def gdb_completes(lab):
    with Victim([lab.go("leaky")]) as victim:
        lines = {"hf why main.s": ["hf why main.sessionCache"], "holdfast info &main.hea": ["holdfast info &main.headers"],
                 "hf why --ma": ["hf why --max"], "hf top --by g": ["hf top --by goroutine"], "hf top --by ": 4, "hf top main": [],
                 "hf snap -o /etc/pass": ["hf snap -o /etc/passwd"], "hf why main.": 5, "hf why nothing.": [], "hf why *main.Ses": []}
        said = ask_gdb(lab, ["-p", victim.pid], *("complete " + line for line in lines), "hf why main.Session --max 1", "complete hf why *main.Ses")
        for (line, wanted), answer in zip(lines.items(), said):
            found = answer.split("\n")[:-1]
            right = len(found) >= wanted and all(name.startswith(line) for name in found) if isinstance(wanted, int) else set(wanted) <= set(found)
            expect(right and (wanted or not found), f"`{line}` becomes {found}")
        expect(said[-1] == "hf why *main.Session\n", f"types, once they are known: {said[-1]}")
        victim.expect_running()


@case("gdb: answers are kept until the process moves, or gdb writes to it")
def gdb_moves(lab):
    with Victim([lab.go("leaky")]) as victim:
        kept = "python print(holdfast_gdb_commands.front.session is not None)"
        target = ["-p", victim.pid, "-ex", "tbreak runtime.futex"]      # where its threads come by all the time
        said = ask_gdb(lab, target, "hf top --limit 1", kept, "hf goroutines", kept, "thread 2", kept, "continue", kept, "hf top --limit 1", kept,
                       "set var 'main.times'=1", kept, "hf top --limit 1", "set var $rax=$rax", kept, "hf top --limit 1", "stepi", kept,
                       "hf top --limit 1", "call 'runtime.nanotime1'()", kept,
                       "detach", kept, "hf top")
        said_kept = [text.strip() == "True" for text in said if text.strip() in ("True", "False")]
        expect(said_kept == [True, True, True, False, True, False, False, False, False, False], f"{said_kept}: {said}")
        expect_line(said[-1], "no process and no core")
        victim.expect_running()


@case("gdb: of several inferiors the current one is asked")
def gdb_inferiors(lab):
    with Victim([lab.go("leaky")]) as victim, Victim([lab.go("holds")]) as other:
        said = ask_gdb(lab, ["-p", victim.pid], "hf top --limit 1", "add-inferior", "inferior 2", "hf top", f"attach {other.pid}",
                       "hf top --limit 1", "inferior 1", "hf top --limit 1")
        expect_line(said[3], "no process and no core")
        for i, of in (0, victim), (5, other), (7, victim):
            expect(f"process {of.pid} " in said[i], f"another is asked: {said[i]}")
        victim.expect_running()


@case("gdb: what is no Go program, and an extension that is not there")
def gdb_refuses(lab):
    with Victim([lab.c("notgo")]) as victim:
        expect_line(ask_gdb(lab, ["-p", victim.pid], "hf top")[0], "not a Go program")
    expect_line(ask_gdb(lab, [], "hf top")[0], "no process and no core")
    alone = lab.folder / "alone" / "python"
    alone.mkdir(parents=True)
    for file in front_end(lab, "gdb").parent.glob("*.py"):
        shutil.copy(file, alone)
    said = run_debugger(["gdb", *QUIET, "-batch", "-ex", f"source {alone}/holdfast_gdb.py"])
    expect_line(said, "build it first")
    stale = lab.folder / "stale"
    shutil.copytree(front_end(lab, "gdb").parent, stale)
    front = stale / "holdfast_front.py"
    front.write_text(front.read_text().replace("INTERFACE = ", "INTERFACE = 1000 + "))
    said = run_debugger(["gdb", *QUIET, "-batch", "-ex", f"source {stale}/holdfast_gdb.py"])
    expect_line(said, "another version")


@contextlib.contextmanager
def gdbserver(pid):
    try:
        server = subprocess.Popen(["gdbserver", "--once", "--attach", "127.0.0.1:0", str(pid)], stderr=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        expect(False, "gdbserver is missing: ./run setup installs it")
    try:
        port = None
        for line in server.stderr:
            if match := re.match(r"Listening on port (\d+)", line):
                port = match[1]
                break
        expect(port, "gdbserver does not listen")
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@case("gdb: a process behind gdbserver")
def gdb_remote(lab):
    with Victim([lab.go("leaky")]) as victim:
        truth = chain_of(victim.truths)
        heap = next(t for t in victim.truths if t["truth"] == "heap")
        with gdbserver(victim.pid) as address:
            said = ask_gdb(lab, ["-ex", f"target remote {address}"], f"hf why {truth['address']}", "hf why main.sessionCache", "hf overview",
                           "hf why main.nothing", "detach")
        expect_chain(said[0], truth)
        expect("global main.sessionCache" in said[1], f"{said[1]}")
        count = int(re.search(r"^ +live +\S+ \S+ +([\d,]+) +objects", said[2], re.M)[1].replace(",", ""))
        expect(abs(count - heap["objects"]) < heap["objects"] * 0.02 and "not complete" not in said[2], f"{count} objects, not {heap['objects']}")
        expect_line(said[3], "main.nothing")
        victim.expect_running()


class Terminal:
    """gdb at a terminal of ours."""

    def __init__(self, arguments, env=None):
        self.said = b""
        self.screen, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("<4H", 500, 300, 0, 0))      # no line wraps
        self.process = subprocess.Popen(["gdb", *QUIET, *map(str, arguments)], stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
                                        env={**os.environ, "TERM": "xterm", **(env or {})})
        os.close(inner)
        self.wait()

    def wait(self, pattern=rb"\(gdb\) ", seconds=60):
        """What it says up to the pattern; what follows is for the next to wait."""
        end = time.monotonic() + seconds
        while not (match := re.search(pattern, self.said)):
            expect(time.monotonic() < end, f"gdb says no more than {self.said[-300:]}")
            if select.select([self.screen], [], [], 0.1)[0]:
                self.said += os.read(self.screen, 65536)
        said, self.said = self.said[:match.end()], self.said[match.end():]
        return said

    def say(self, line):
        os.write(self.screen, line.encode() + b"\n")
        self.wait(re.escape(line.encode()) + rb"\r?\n")

    def ask(self, line):
        self.say(line)
        return self.wait()

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.screen)


@case("gdb: Ctrl-C ends a question at once; styles only where they are wanted")
def gdb_interrupt(lab):
    with Victim([lab.go("scale"), "2"]) as victim:
        gdb = Terminal(["-p", victim.pid])
        try:
            gdb.ask(f"source {front_end(lab, 'gdb')}")
            waits, whole = [], None
            for delay in (0.02, 0.1, 0.2, 0.4, 0.7):
                gdb.say("hf top --by root")
                time.sleep(delay)
                start = time.monotonic()
                gdb.process.send_signal(signal.SIGINT)
                said = gdb.wait()
                if b"holdfast: interrupted" in said:
                    waits.append(time.monotonic() - start)
                else:
                    whole = delay
                    break
            expect(waits, f"none was interrupted: {said[-300:]}")
            expect(max(waits) < 0.3, f"it took {max(waits):.3f} s to end")      # 0.1 s, on a machine that does nothing else
            expect(whole is None or whole > 0.02, "it answered before it was asked")
            expect(b"\x1b[1m" in gdb.ask("hf overview") or b"\x1b[2m" in gdb.ask("hf overview"), "no styles at a terminal")
            expect(b"\x1b[" not in re.sub(rb"\x1b\[\?2004[hl]", b"", gdb.ask("pipe hf overview | cat")), "styles in a pipe")
            gdb.ask("set style enabled off")
            expect(b"\x1b[" not in re.sub(rb"\x1b\[\?2004[hl]", b"", gdb.ask("hf overview")), "styles where gdb's are off")
        finally:
            gdb.end()
        wait_for(lambda: status(victim.pid, "TracerPid") == "0", 5, "still traced")


@lldb_case("a core, every command as on the command line", matrix=True)
def lldb_core(lab, lldb):
    with core_of(lab) as (core, program, truths):
        target = [program, "-c", core]
        questions = questions_on(lab, truths)
        said = ask_lldb(lab, lldb, target, *("holdfast " + q for q in questions), *("hf " + words for words, _ in MISTAKES))
        for question, answer in zip(questions, said):
            same_text(lab, core, question, answer)
        for (_, pattern), answer in zip(MISTAKES, said[len(questions):]):
            expect_line(answer, pattern)


@lldb_case("a live process: expressions, help, one line an error")
def lldb_live(lab, lldb):
    with Victim([lab.go("leaky")]) as victim:
        truth = chain_of(victim.truths)
        again = f"command script import {front_end(lab, 'lldb')}"
        said = ask_lldb(lab, lldb, ["-p", victim.pid], again, f"holdfast why {truth['address']}", "hf why main.sessionCache", "hf info $pc",
                        "hf info (long)$sp+8", "hf info $sp=1", *("hf " + words for words, _ in MISTAKES), "hf help why", "detach",
                        "hf top")
        expect("error" not in said[0], f"imported twice: {said[0]}")
        expect_chain(said[1], truth)
        expect("global main.sessionCache" in said[2], f"of a map: {said[2]}")
        expect("code" in said[3], f"of a register: {said[3]}")
        expect("memory" in said[4] or "stack" in said[4], f"of an expression: {said[4]}")
        expect_line(said[5], "sp=1")
        for (_, pattern), answer in zip(MISTAKES, said[6:-3]):
            expect_line(answer, pattern)
        expect("example: holdfast why main.Session" in said[-3], f"help: {said[-3]}")
        expect_line(said[-1].replace(f"Process {victim.pid} detached\n", ""), "no process and no core")     # LLDB's own line may be late
        victim.expect_running()


@lldb_case("a process behind lldb-server")
def lldb_remote(lab, lldb):
    server = shutil.which(f"lldb-server-{lldb.release}") or shutil.which("lldb-server-14")
    expect(server, "lldb-server is missing: ./run setup installs it")
    with Victim([lab.go("leaky")]) as victim, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        held = subprocess.Popen([server, "gdbserver", "--attach", str(victim.pid), f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: status(victim.pid, "TracerPid") == str(held.pid), 10, "lldb-server does not attach")
            wait_for(lambda: is_listening(port), 10, "lldb-server does not listen")
            truth = chain_of(victim.truths)
            said = ask_lldb(lab, lldb, [lab.go("leaky")], f"gdb-remote 127.0.0.1:{port}", f"hf why {truth['address']}", "hf why main.nothing")
            expect_chain(said[1], truth)
            expect_line(re.sub(r"^Process .*\n", "", said[2]), "main.nothing")
        finally:
            held.kill()
            held.wait()
        victim.expect_running()


def is_listening(port):
    with open("/proc/net/tcp", encoding="ascii") as rows:
        return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in rows if ":" in row.split()[0])
