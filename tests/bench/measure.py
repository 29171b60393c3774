#!/usr/bin/env python3
"""measure.py TOOL SCALE MILLIONS...: asks the tool about heaps of so many million objects and prints a table.

Each question is asked REPEATS times; the median counts. The pause is what the process itself noticed: its heart beats
every 10 ms, and the longest time between two beats, less that, is how long it stood still.
"""
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time

REPEATS = 5
BEAT_S = 0.010


class Victim:
    def __init__(self, program, millions):
        self.process = subprocess.Popen([program, millions], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.pid, self.heap, self.longest = self.process.pid, None, 0.0
        for line in self.process.stdout:
            truth = json.loads(line)
            if truth["truth"] == "heap":
                self.heap = truth
            elif truth["truth"] == "ready":
                break
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        last = None
        while os.read(self.process.stderr.fileno(), 1):
            now = time.monotonic()
            self.longest = max(self.longest, now - last - BEAT_S if last else 0.0)
            last = now

    def rss(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def ask(tool, words):
    """(wall seconds, peak resident bytes, answer)"""
    with tempfile.TemporaryFile() as out:
        start = time.monotonic()
        child = subprocess.Popen([tool, *words, "--json"], stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"measure.py: {' '.join(words)}: exit {child.returncode}")
        out.seek(0)
        return wall, usage.ru_maxrss * 1024, json.load(out)


def measure(tool, victim, words):
    walls, peaks, stops, noticed = [], [], [], []
    for _ in range(REPEATS):
        victim.longest = 0.0
        wall, peak, answer = ask(tool, words)
        time.sleep(3 * BEAT_S)
        walls.append(wall)
        peaks.append(peak)
        stops.append(answer["stopped_ms"])
        noticed.append(victim.longest * 1e3)
    return [statistics.median(values) for values in (walls, peaks, stops, noticed)]


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    tool, program = sys.argv[1:3]
    print(f"{processor()}, {len(os.sched_getaffinity(0))} processors, Linux {platform.release()}; load before: {os.getloadavg()[0]:.1f}; "
          f"median of {REPEATS}\n")
    print("| objects | heap | resident | question | wall | peak memory of the tool | of the resident size | stopped (tool) | stopped (target) |")
    print("|---:|---:|---:|---|---:|---:|---:|---:|---:|")
    for millions in sys.argv[3:]:
        victim = Victim(program, millions)
        try:
            for words in (["overview"], ["top"], ["top", "--by", "root"], ["why", "main.record"], ["goroutines"], ["page"]):
                wall, peak, stop, noticed = measure(tool, victim, [*words, "-p", str(victim.pid)])
                print(f"| {victim.heap['objects']:,} | {victim.heap['bytes'] / 2**20:.0f} MiB | {victim.rss() / 2**20:.0f} MiB "
                      f"| `{' '.join(words)}` | {wall:.2f} s | {peak / 2**20:.0f} MiB | {peak / victim.rss():.2f} | {stop:.0f} ms "
                      f"| {noticed:.0f} ms |", flush=True)
        finally:
            victim.process.kill()
            victim.process.wait()


if __name__ == "__main__":
    main()
