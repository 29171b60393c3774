"""What all end-to-end tests share: victims that are built, started and watched, the tool, and what is expected."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
VICTIMS = HERE.parent / "victims"

CASES = []


class Failure(Exception):
    """A test's finding."""


class NotRun(Exception):
    """What a test needs that this machine cannot give; never the right to trace a process."""


def case(name, **options):
    """Registers a test: a function of the Lab."""
    def register(function):
        CASES.append((name, function, options))
        return function
    return register


def expect(fact, message):
    if not fact:
        raise Failure(message)


def wait_for(fact, seconds, message):
    """Polls until fact() holds."""
    end = time.monotonic() + seconds
    while not fact():
        expect(time.monotonic() < end, message)
        time.sleep(0.01)


def status(pid, key):
    """A field of /proc/PID/status; '' where there is none."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith(key + ":"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return ""


def thread_states(pid):
    states = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        state = status(f"{pid}/task/{tid}", "State")
        if state:
            states.append(state[0])
    return states


class Victim:
    """A process of ours that says its truths on stdout, and is asked about. Ends with the `with`."""

    def __init__(self, command, env=None, stdin=subprocess.DEVNULL, prefix=()):
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen([*prefix, *self.command], stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, text=True)
        self.pid, self.truths, self.beats = self.process.pid, [], 0
        threading.Thread(target=self._count_beats, daemon=True).start()
        for line in self.process.stdout:
            truth = json.loads(line)
            if truth["truth"] == "ready":
                return
            self.truths.append(truth)
        raise Failure(f"{self.command[0]} ended before it was ready")

    def _count_beats(self):
        while chunk := os.read(self.process.stderr.fileno(), 4096):
            self.beats += chunk.count(b".")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.kill()
        self.process.wait()

    def expect_running(self, seconds=5):
        """Fails unless every thread is untraced and on the move, and the heart beats."""
        wait_for(lambda: status(self.pid, "TracerPid") == "0", seconds, f"process {self.pid} is still traced")
        wait_for(lambda: not set(thread_states(self.pid)) & set("tT"), seconds, f"threads of {self.pid} stand still")
        before = self.beats
        wait_for(lambda: self.beats > before + 2, seconds, f"process {self.pid} does not run on")


class Lab:
    """Where the tests work: the tool under test, a folder for what they make, the victims built so far."""

    def __init__(self, tool, folder, toolchain=None):
        self.tool, self.folder, self.toolchain = str(tool), pathlib.Path(folder), toolchain
        self.built = {}

    def go_environment(self):
        env = {**os.environ, "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}
        if self.toolchain:
            env["GOTOOLCHAIN"] = self.toolchain
        return env

    def go(self, name, *flags):
        """Builds a Go victim; the path of the program."""
        key = (name, *flags)
        if key not in self.built:
            out = self.folder / f"{name}{len(self.built)}"
            build = subprocess.run(["go", "build", *flags, "-o", str(out), "./" + name], cwd=VICTIMS, text=True,
                                   env=self.go_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            expect(build.returncode == 0, f"go build {name}: {build.stdout.strip()[-400:]}")
            self.built[key] = out
        return self.built[key]

    def c(self, name, *flags):
        """Builds a C victim; the path of the program."""
        key = ("c/" + name, *flags)
        if key not in self.built:
            out = self.folder / f"{name}{len(self.built)}"
            build = subprocess.run(["cc", "-g", "-O1", *flags, "-o", str(out), str(VICTIMS / "c" / f"{name}.c"), "-lpthread"],
                                   text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            expect(build.returncode == 0, f"cc {name}: {build.stdout.strip()[-400:]}")
            self.built[key] = out
        return self.built[key]

    def ask(self, *words, prefix=(), timeout=120, **options):
        """Runs the tool to its end."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        command = [*map(str, prefix), self.tool, *map(str, words)]
        try:
            run = subprocess.run(command, text=True, errors="replace", timeout=timeout, **options)
        except subprocess.TimeoutExpired:
            raise Failure(f"`{' '.join(command[1:])}` takes more than {timeout} s") from None
        blank = [line for line in (run.stdout or "").split("\n") if line != line.rstrip()]
        expect(not blank, f"`{' '.join(command[1:])}`: a line ends with a blank: {blank[:1]}")
        return run

    def start(self, *words, **options):
        """Starts the tool, in a process group of its own."""
        return subprocess.Popen([self.tool, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True, **options)

    def result(self, *words, complete=True, **options):
        """The JSON answer to a question that must succeed: (result, answer)."""
        run = self.ask(*words, "--json", **options)
        question = " ".join(map(str, words))[:120]
        expect(run.returncode == 0, f"`{question}`: exit {run.returncode}: {run.stderr.strip()[-300:]}")
        expect(run.stderr == "", f"`{question}` says on stderr: {run.stderr.strip()[:300]}")
        try:
            answer = json.loads(run.stdout)
        except ValueError as error:
            raise Failure(f"`{question}` gives no JSON: {error}") from None
        for key in ("holdfast", "command", "target", "stopped_ms", "complete", "warnings", "result"):
            expect(key in answer, f"`{question}`: the answer has no '{key}'")
        expect(not complete or answer["complete"], f"`{question}` is not complete: {answer['warnings'][:3]}")
        return answer["result"], answer

    def refused(self, codes, pattern, *words, **options):
        """A question that must fail: with one of the exit codes, nothing on stdout, and one line that matches."""
        run = self.ask(*words, **options)
        expect_error(run, codes, pattern, " ".join(map(str, words))[:120])
        return run


def expect_error(run, codes, pattern, question):
    codes = codes if isinstance(codes, (set, tuple)) else {codes}
    said = run.stderr.strip()
    if run.returncode < 0:
        raise Failure(f"`{question}` died of {signal.Signals(-run.returncode).name}: {said[-300:]}")
    expect(run.returncode in codes, f"`{question}`: exit {run.returncode}, not {sorted(codes)}: {said[:300]}")
    expect(run.stdout == "", f"`{question}` fails, but prints: {run.stdout[:100]!r}")
    lines = run.stderr.split("\n")
    expect(len(lines) == 2 and lines[1] == "", f"`{question}`: not one line on stderr: {run.stderr[:300]!r}")
    expect(lines[0].startswith("holdfast: "), f"`{question}`: stderr does not say who speaks: {lines[0]!r}")
    expect(re.search(pattern, lines[0], re.I), f"`{question}`: the error does not match /{pattern}/: {lines[0]}")
