"""No harm, whatever happens to the tool; and what it shows to whom."""
import json
import os
import pty
import random
import signal
import subprocess
import time

from harness import Victim, case, expect, expect_error, status, thread_states, wait_for


def seconds_of(lab, *words):
    start = time.monotonic()
    lab.result(*words)
    return time.monotonic() - start


@case("killed in the middle, twenty times: the process runs on")
def killed(lab):
    random.seed(7)
    with Victim([lab.go("scale"), "2"]) as victim:
        whole, midway = seconds_of(lab, "top", "-p", victim.pid), 0
        for i in range(20):
            tool = lab.start("top", "-p", victim.pid)
            time.sleep(whole * (i + random.random()) / 20)
            tool.kill()
            midway += tool.wait() == -signal.SIGKILL
            victim.expect_running()
        expect(midway >= 10, f"the tool was killed in its work {midway} times only")
        lab.result("overview", "-p", victim.pid)


@case("killed while the process stands still")
def killed_in_the_stop(lab):
    """Kills as soon as the tool has stopped it."""
    with Victim([lab.go("scale"), "2"]) as victim:
        caught = 0
        for _ in range(20):
            tool = lab.start("top", "-p", victim.pid)
            while tool.poll() is None:
                if status(victim.pid, "TracerPid") != "0":     # a thread of the tool
                    caught += 1
                    break
            tool.kill()
            tool.wait()
            victim.expect_running()
        expect(caught, "the tool was never seen to trace the process")


@case("a process that was stopped stays stopped")
def stopped(lab):
    with Victim([lab.go("leaky")]) as victim:
        os.kill(victim.pid, signal.SIGSTOP)
        wait_for(lambda: set(thread_states(victim.pid)) == {"T"}, 5, "it does not stop")
        for words in (["overview"], ["why", "main.Session"], ["snap", "-o", lab.folder / "stopped.core"]):
            lab.result(words[0], "-p", victim.pid, *words[1:])
            wait_for(lambda: set(thread_states(victim.pid)) == {"T"}, 5, f"after {words[0]}: {thread_states(victim.pid)}")
            expect(status(victim.pid, "TracerPid") == "0", "still traced")
        before = victim.beats
        time.sleep(0.2)
        expect(victim.beats == before, "its heart beats")
        os.kill(victim.pid, signal.SIGCONT)
        victim.expect_running()
        (lab.folder / "stopped.core").unlink()


@case("interrupted: exit 130, one line, the process runs on")
def interrupted(lab):
    with Victim([lab.go("scale"), "2"]) as victim:
        whole = seconds_of(lab, "top", "-p", victim.pid)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            ends = []
            for i in range(8):
                tool = lab.start("top", "-p", victim.pid)
                time.sleep(whole * (i + 0.5) / 10)
                asked = time.monotonic()
                tool.send_signal(number)
                out, err = tool.communicate(timeout=30)
                took = time.monotonic() - asked
                victim.expect_running()
                ends.append(tool.returncode)
                if tool.returncode == 130:
                    expect_error(subprocess.CompletedProcess([], 130, out, err), 130, "interrupt", number.name)
                    expect(took < 1, f"{number.name}: it ended {took:.1f} s later")
                else:
                    # Before the handler stands, the signal's own end; after the answer, none.
                    expect(tool.returncode in (0, -number), f"{number.name}: exit {tool.returncode}: {err}")
            expect(130 in ends, f"{number.name}: exits {ends}")
        tool = lab.start("top", "-p", victim.pid)
        time.sleep(whole / 3)
        tool.send_signal(signal.SIGINT)
        time.sleep(0.01)
        tool.send_signal(signal.SIGINT)
        expect(tool.wait(5) in (130, 0), "twice: it goes on")
        tool.communicate()
        victim.expect_running()


@case("a process that allocates without rest", matrix=True)
def busy(lab):
    with Victim([lab.go("busy"), "4"]) as victim:
        for _ in range(6):
            result, answer = lab.result("overview", "-p", victim.pid)
            heap = result["heaps"][0]
            expect(heap["objects"] == heap["live_objects"] + heap["garbage_objects"], "live and garbage do not make up all")
            expect(heap["live_objects"] > 100, f"{heap['live_objects']} live objects")
            # The runtime counts what a processor allocates when its span is full or the collector runs: not yet here.
            expect(abs(heap["objects"] - heap["runtime_objects"]) <= 0.01 * heap["objects"],
                   f"self-check: {heap['objects']} walked, {heap['runtime_objects']} by the runtime")
            expect(0 < answer["stopped_ms"] < 5000, f"stopped for {answer['stopped_ms']} ms")
            victim.expect_running()
        for words in (["top"], ["goroutines"], ["why", "--max", "2", "main.leaf"]):
            lab.result(words[0], "-p", victim.pid, *words[1:])
            victim.expect_running()


def in_terminal(lab, words, **env):
    """Runs the tool with standard output and error on a terminal: what it shows there."""
    main, terminal = pty.openpty()
    tool = subprocess.Popen([lab.tool, *map(str, words)], stdin=terminal, stdout=terminal, stderr=terminal,
                            env={**{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}, **env})
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(main, 65536):
            shown += chunk
    except OSError:      # how Linux says that the other side is closed
        pass
    os.close(main)
    expect(tool.wait() == 0, f"exit {tool.returncode}: {shown[-300:]}")
    return shown.decode(errors="replace")


@case("colors and progress: for terminals that want them")
def terminals(lab):
    with Victim([lab.go("leaky")]) as victim:
        words = ["-p", victim.pid]
        expect("\x1b[1m" in in_terminal(lab, words, TERM="xterm"), "no colors on a terminal")
        for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
            shown = in_terminal(lab, words, **env).replace("\r\x1b[K", "" if "NO_COLOR" in env else "\r\x1b[K")
            expect("\x1b" not in shown, f"{env}: {shown[:200]!r}")
        run = lab.ask(*words, env={**os.environ, "TERM": "xterm"})
        expect(run.returncode == 0 and "\x1b" not in run.stdout and run.stderr == "", "colors in a pipe")
        lines = run.stdout.rstrip("\n").split("\n")
        expect(len(lines) <= 66, f"the page has {len(lines)} lines")
        expect(max(map(len, lines)) <= 100, f"a line has {max(map(len, lines))} columns")
        expect(not any(line != line.rstrip() for line in lines), "spaces at the ends of lines")
        expect("heap" in run.stdout and f"holdfast why -p {victim.pid}" in run.stdout, "the page says not what to do next")
    with Victim([lab.go("scale"), "2"]) as victim:
        shown = in_terminal(lab, ["top", "-p", victim.pid], TERM="xterm")
        if "%" in shown.split("live objects")[0]:
            expect("\r\x1b[K" in shown, "progress is not taken away")


@case("standard output: full, closed, and with no reader")
def outputs(lab):
    with Victim([lab.go("leaky")]) as victim:
        words = ["-p", victim.pid]
        with open("/dev/full", "w", encoding="ascii") as full:
            run = lab.ask(*words, stdout=full)
        expect_error(subprocess.CompletedProcess([], run.returncode, "", run.stderr), 4, "space", "on /dev/full")
        run = lab.ask(*words, prefix=["/bin/sh", "-c", 'exec "$0" "$@" >&-'])
        expect_error(run, 4, "descriptor", "without standard output")
        read, write = os.pipe()
        os.close(read)
        run = lab.ask(*words, stdout=write, restore_signals=True)
        os.close(write)
        expect(run.returncode == -signal.SIGPIPE and run.stderr == "", f"no reader: exit {run.returncode}: {run.stderr}")
        run = lab.ask(*words, prefix=["/bin/sh", "-c", 'exec "$0" "$@" 2>&- <&-'])
        expect(run.returncode == 0 and "heap" in run.stdout, "without standard error: no answer")
        victim.expect_running()


@case("text and JSON say the same, and every command has both")
def forms(lab):
    with Victim([lab.go("leaky")]) as victim:
        target = ["-p", str(victim.pid)]
        address = next(t["address"] for t in victim.truths if t["truth"] == "why")
        for words in (["page"], ["overview"], ["info", address], ["why", address], ["top"], ["top", "--by", "root"],
                      ["dominators"], ["dominators", "main.sessionCache", address], ["goroutines"], ["pools"]):
            text = lab.ask(*words, *target)
            expect(text.returncode == 0 and text.stdout.endswith("\n"), f"{words}: {text.stderr}")
            answer = lab.result(*words, *target)[1]
            expect(answer["command"] == words[0] and answer["target"]["pid"] == victim.pid, f"{words}: {answer['target']}")
            expect(answer["target"]["kind"] == "live" and answer["stopped_ms"] > 0, f"{words}: {answer['stopped_ms']}")
        rows = lab.result("top", *target, "--limit", "2")[0]
        expect(len(rows["rows"]) == 2 and rows["left_out"] > 0, f"--limit 2: {rows}")
        everything = lab.result("top", *target, "--limit", "0")[0]
        expect(everything["left_out"] == 0, "--limit 0 leaves rows out")
        total = sum(row["bytes"] for row in everything["rows"])
        expect(total == everything["total_bytes"], f"rows sum up to {total}, not {everything['total_bytes']}")
        by_root = lab.result("top", *target, "--limit", "0", "--by", "root")[0]
        expect(sum(row["bytes"] for row in by_root["rows"]) == by_root["total_bytes"] == everything["total_bytes"],
               "by root, an object is counted twice or not at all")


@case("values and keys: shown, and kept back")
def secrets(lab):
    with Victim([lab.go("leaky")]) as victim:
        target = ["-p", str(victim.pid)]
        why = next(t["address"] for t in victim.truths if t["truth"] == "why")
        plain = json.dumps(lab.result("why", *target, why)[0])
        redacted = json.dumps(lab.result("why", *target, "--redact", why)[0])
        expect("session-7" in plain, "no key in the chain")
        expect("session-7" not in redacted, "--redact shows the key")
        expect("session-7" not in lab.ask("why", *target, "--redact", why).stdout, "--redact shows the key in text")
        session = lab.result("why", *target, why)[0]["objects"][0]["chains"][0]["steps"]
        strings = [s["address"] for s in session]
        quiet = lab.result("info", *target, *strings)[0]["objects"]
        expect(not any("value" in o for o in quiet), "values without --show-values")
