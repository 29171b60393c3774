"""Numbers of the runtime, changed in the running process and back; what collections free of pools."""
import collections
import json
import os
import re
import shutil
import signal
import threading
import time

from debuggers import ask_gdb, expect_line
from harness import NotRun, Victim, case, expect, status, wait_for
from patch_apply import Patcher

RATE = "runtime.MemProfileRate"


class Switched(Victim):
    """A victim that goes on to say what its runtime says of itself."""

    def __init__(self, command, **options):
        super().__init__(command, **options)
        self.said, self.total = collections.deque(maxlen=1000), 0
        threading.Thread(target=self._read_on, daemon=True).start()

    def _read_on(self):
        for line in self.process.stdout:
            self.said.append(json.loads(line))
            self.total += 1

    def now(self):
        """What it says from now on: of two, one was said after this was asked."""
        before = self.total
        wait_for(lambda: self.total >= before + 2 or self.process.poll() is not None, 10, "it says nothing any more")
        expect(self.process.poll() is None, f"the victim ended: {self.process.returncode}")
        return self.said[-1]

    def collect(self):
        before = self.now()["num_gc"]
        os.kill(self.pid, signal.SIGUSR1)
        wait_for(lambda: self.now()["num_gc"] > before, 20, "no collection came by")


class Desk:
    """The tool, with a journal of its own."""

    def __init__(self, lab, name, pid):
        self.lab, self.pid = lab, pid
        self.state = lab.folder / f"state-{name}"
        shutil.rmtree(self.state, ignore_errors=True)
        self.env = {**os.environ, "XDG_STATE_HOME": str(self.state)}
        self.journal = self.state / "holdfast" / "journal.jsonl"

    def ask(self, verb, *words, pid=None, **options):
        target = () if pid == 0 else ("-p", pid or self.pid)
        return self.lab.result("patch", verb, *target, *words, env=self.env, **options)[0]

    def set(self, *words):
        return self.ask("set", *words, "--yes")

    def get(self, name):
        rows = self.ask("get", name)["switches"]
        expect(len(rows) == 1, f"get {name}: {len(rows)} rows")
        return rows[0]

    def refused(self, code, pattern, *words, pid=None):
        self.lab.refused(code, pattern, "patch", *words, "-p", pid or self.pid, env=self.env)

    def events(self):
        if not self.journal.exists():
            return []
        with open(self.journal, encoding="utf-8") as lines:
            return [json.loads(line)["event"] for line in lines]


def sites(lab, victim):
    """By function: bytes that were ever allocated there; empty where it does not sample."""
    run = lab.ask("top", "-p", victim.pid, "--by", "site", "--limit", "0", "--json")
    if run.returncode:
        expect("does not sample" in run.stderr, f"top: {run.stderr.strip()}")
        return {}
    sums = collections.Counter()
    for row in json.loads(run.stdout)["result"]["rows"]:
        sums[row["function"]] += row["alloc_bytes"]
    return sums


def on_and_off(lab, victim, desk, before):
    """The profile is switched on, samples appear, and it is switched off again."""
    expect(desk.get(RATE)["value"] == before and not desk.get(RATE)["set_by_us"], f"get: {desk.get(RATE)}")
    done = desk.set(RATE, "512")
    expect(done["state"] == "set" and done["old"] == before and done["new"] == 512 and done["keeper"] is None, f"{done}")
    row = desk.get(RATE)
    expect(row["value"] == 512 and row["on"] and row["set_by_us"] and row["before"] == before and row["id"] == done["id"],
           f"get: {row}")
    expect(victim.now()["rate"] == 512, "the program itself sees another rate")
    wait_for(lambda: sites(lab, victim).get("main.allocate", 0) > 1 << 20, 20, "no samples of main.allocate appear")
    profile = lab.folder / "alloc.pb.gz"
    exported = lab.result("export", "-p", victim.pid, "--profile", "alloc", "-o", profile)[0]
    expect(profile.stat().st_size > 100, f"export: {exported}")
    off = desk.set(RATE, "0")
    expect(off["state"] == ("reverted" if before == 0 else "set"), f"off: {off}")
    expect(victim.now()["rate"] == 0, "the program itself sees another rate")
    expect(not desk.get(RATE)["on"], "get says that it is on")
    desk.ask("revert", "--all")
    expect(victim.now()["rate"] == before, f"the rate is {victim.now()['rate']}, not {before} as before")
    victim.expect_running()


@case("switch: the heap profile, on and off, in a program that the linker left it out of", matrix=True)
def profile_left_out(lab):
    with Switched([lab.go("switched")]) as victim:
        expect(sites(lab, victim) == {}, "it samples before it was switched on")
        on_and_off(lab, victim, Desk(lab, "out", victim.pid), 0)


@case("switch: the heap profile, on and off, in a program that began without", matrix=True)
def profile_off(lab):
    with Switched([lab.go("switched", "-tags=profile")], env={"RATE": "0"}) as victim:
        on_and_off(lab, victim, Desk(lab, "off", victim.pid), 0)


@case("switch: the heap profile's rate, in a program that has the usual one", matrix=True)
def profile_usual(lab):
    with Switched([lab.go("switched", "-tags=profile")]) as victim:
        on_and_off(lab, victim, Desk(lab, "usual", victim.pid), 524288)


@case("switch: GOGC and the memory limit, as the next goal shows", matrix=True)
def pace(lab):
    with Switched([lab.go("switched")]) as victim:
        desk = Desk(lab, "pace", victim.pid)
        victim.collect()
        before = victim.now()["next_gc"]
        done = desk.set("GOGC", "300")
        expect(done["old"] == 100 and done["new"] == 300, f"{done}")
        victim.collect()
        wait_for(lambda: victim.now()["next_gc"] > 1.7 * before, 10, f"the goal is {victim.now()['next_gc']}, was {before}")
        expect([row["value"] for row in desk.ask("get")["switches"]][1] == 300, "get says another GOGC")
        desk.refused(6, "without a memory limit", "set", "GOGC", "off", "--yes")
        desk.set("GOMEMLIMIT", "1GiB")
        desk.set("GOGC", "off")
        victim.collect()
        wait_for(lambda: victim.now()["next_gc"] > 500 << 20, 10, f"the goal is {victim.now()['next_gc']}")
        desk.refused(6, "grow without end", "set", "GOMEMLIMIT", "off", "--yes")
        states = desk.ask("status")["patches"]
        expect([(s["pool"], s["state"], s["new_function"]) for s in states if s["state"] == "applied"] ==
               [("GOMEMLIMIT", "applied", str(1 << 30)), ("GOGC", "applied", "off")], f"status: {states}")
        desk.ask("revert", "--all")
        victim.collect()
        wait_for(lambda: victim.now()["next_gc"] < 1.3 * before, 10, f"the goal is {victim.now()['next_gc']}, was {before}")
        values = {row["name"]: row["value"] for row in desk.ask("get")["switches"]}
        expect(values["GOGC"] == 100 and values["GOMEMLIMIT"] == (1 << 63) - 1, f"get: {values}")
        victim.expect_running()


@case("switch: stripped, what can be found is told, and nothing is written", matrix=True)
def stripped(lab):
    with Switched([lab.go("switched", "-ldflags=-s -w")]) as victim:
        desk = Desk(lab, "stripped", victim.pid)
        rows = {row["name"]: row for row in desk.ask("get")["switches"]}
        expect(rows[RATE]["value"] is None and rows["GOGC"]["value"] in (None, 100), f"get: {rows}")
        for name, row in rows.items():
            expect(row["why_not"], f"get {name}: {row}")
            desk.refused(6, "cannot be set here", "set", name, "200" if name == "GOGC" else "1GiB", "--yes")
        desk.refused(6, "stripped", "set", RATE, "auto", "--yes")
        expect(desk.events() == [], f"the journal: {desk.events()}")
        victim.expect_running()


@case("switch: auto chooses by the load, and says why")
def auto(lab):
    for word in ("quiet", "busy"):
        with Switched([lab.go("switched"), word], env={"GOMAXPROCS": "1"}) as victim:
            desk = Desk(lab, f"auto-{word}", victim.pid)
            done = desk.set("memprofilerate", "auto")
            share, rate = done["cpu_share"], done["new"]
            wanted = 512 if share < 0.3 else 4096 if share <= 0.7 else 32768
            expect(rate == wanted or rate == 32768 and "pauses" in done["chosen"], f"at {share}: {done}")
            expect((done["expires_at"] is None) == (rate == 512), f"expiry: {done}")
            expect(word == "busy" or rate == 512, f"a quiet process: {done}")
            expect(share >= 0.3 or word == "quiet", f"a busy process: {done}")
            if done["keeper"]:
                os.kill(done["keeper"], signal.SIGTERM)
            victim.expect_running()


@case("switch: what expires is taken back by itself, and by --expired where that was ended")
def expiry(lab):
    with Switched([lab.go("switched")]) as victim:
        desk = Desk(lab, "expiry", victim.pid)
        done = desk.set("GOGC", "150", "--expires", "1")
        keeper = done["keeper"]
        expect(keeper and done["keeper_says"] is None, f"no keeper: {done}")
        expect(os.getsid(keeper) != os.getsid(0) and status(keeper, "PPid") != str(os.getpid()), "the keeper is our child")
        wait_for(lambda: desk.get("GOGC")["value"] == 100, 20, "it was not taken back")
        wait_for(lambda: not os.path.exists(f"/proc/{keeper}") or status(keeper, "State")[:1] == "Z", 20, "the keeper stays")
        expect(desk.events() == ["intent", "applied", "reverting", "reverted"], f"the journal: {desk.events()}")
        # Ended before its time: another revert, without a target, knows as much.
        done = desk.set("GOGC", "170", "--expires", "1")
        os.kill(done["keeper"], signal.SIGKILL)
        stay = desk.set("GOMEMLIMIT", "2GiB")
        time.sleep(1.2)
        said = desk.ask("status", pid=0)["patches"]
        expect([s["state"] for s in said] == ["applied", "applied"] and said[0]["pid"] == victim.pid, f"status: {said}")
        desk.lab.refused(2, "of which process", "patch", "revert", "--all", env=desk.env)
        said = desk.ask("revert", "--expired", pid=0)["patches"]
        expect([(s["pool"], s["state"]) for s in said] == [("GOGC", "reverted")], f"revert --expired: {said}")
        expect(desk.get("GOMEMLIMIT")["id"] == stay["id"], "what does not expire was taken back, too")
        expect(desk.ask("revert", "--expired", pid=0)["patches"] == [], "what is reverted is reverted again")
        # Set again before it is over: the first keeper finds nothing to do.
        desk.set("GOGC", "180", "--expires", "1")
        last = desk.set("GOGC", "190", "--expires", "60")
        os.kill(last["keeper"], signal.SIGKILL)
        time.sleep(2.5)
        expect(desk.get("GOGC")["value"] == 190 and desk.get("GOGC")["before"] == 100, f"{desk.get('GOGC')}")
        longer = desk.set("GOGC", "190", "--expires", "90")
        os.kill(longer["keeper"], signal.SIGKILL)
        expect(longer["state"] == "extended" and longer["expires_at"] > last["expires_at"], f"{longer}")
        expect(desk.set("GOGC", "100")["state"] == "reverted", "what stood there before us is no revert")
        expect(desk.set("GOGC", "100")["state"] == "unchanged", "what stands there already is set")
        victim.expect_running()


@case("switch: a keeper ends with its process")
def keeper_ends(lab):
    with Switched([lab.go("switched"), "quiet"]) as victim:
        keeper = Desk(lab, "ends", victim.pid).set("GOGC", "150", "--expires", "600")["keeper"]
    wait_for(lambda: not os.path.exists(f"/proc/{keeper}") or status(keeper, "State")[:1] == "Z", 20, "the keeper stays")


@case("switch: whatever is not allowed changes nothing")
def gates(lab):
    with Switched([lab.go("switched"), "quiet"]) as victim:
        desk = Desk(lab, "gates", victim.pid)
        for code, pattern, words in [
                (2, "no switch 'nosuch'.*GOGC", ["set", "nosuch", "1", "--yes"]),
                (2, "no switch 'main.pool'", ["set", "main.pool", "1", "--yes"]),
                (2, "no switch 'nosuch'", ["get", "nosuch"]),
                (2, "'GOGC' is one word too many", ["get", RATE, "GOGC"]),
                (2, "which value", ["set", "GOGC", "--yes"]),
                (2, "needs NAME VALUE", ["set", "--yes"]),
                (2, "too many", ["set", "GOGC", "1", "2", "--yes"]),
                (2, "10 to 10000", ["set", "GOGC", "9", "--yes"]),
                (2, "10 to 10000", ["set", "GOGC", "10001", "--yes"]),
                (2, "not '1K'", ["set", "GOGC", "1K", "--yes"]),
                (2, "not ''", ["set", "GOGC", "", "--yes"]),
                (2, "not '0x10'", ["set", "GOGC", "0x10", "--yes"]),
                (2, "not '18446744073709551616'", ["set", "GOGC", "18446744073709551616", "--yes"]),
                (2, "takes no auto", ["set", "GOGC", "auto", "--yes"]),
                (2, "bytes", ["set", RATE, "1Q", "--yes"]),
                (2, "bytes", ["set", RATE, "9999999T", "--yes"]),
                (2, "1073741824", ["set", RATE, "2G", "--yes"]),
                (6, "never rest", ["set", "GOMEMLIMIT", "1M", "--yes"]),
                (6, "never rest", ["set", "GOMEMLIMIT", "16M", "--yes"]),
                (6, "without end", ["set", "GOGC", "off", "--yes"]),
                (6, "--yes", ["set", "GOGC", "200"]),
                (6, "--yes", ["set", RATE, "auto"]),
                (2, "up to a week", ["set", "GOGC", "200", "--expires", "0", "--yes"]),
                (2, "up to a week", ["set", "GOGC", "200", "--expires", "700000", "--yes"]),
                (2, "takes no --yes", ["get", "--yes"]),
                (2, "takes no --pool", ["set", "GOGC", "200", "--pool", "main.pool", "--yes"]),
                (2, "no pool 'main.none'", ["drain", "--pool", "main.none"]),
                (2, "takes no --expires", ["drain", "--expires", "1"])]:
            desk.refused(code, pattern, *words)
        values = [row["value"] for row in desk.ask("get")["switches"]]
        expect(values == [0, 100, (1 << 63) - 1], f"get: {values}")
        expect(desk.events() == [], f"the journal: {desk.events()}")
        core = lab.folder / "switched.core"
        lab.result("snap", "-p", victim.pid, "-o", core)
        rows = lab.result("patch", "get", "-c", core, env=desk.env)[0]["switches"]
        expect([row["value"] for row in rows] == values, f"get of a core: {rows}")
        lab.refused(6, "nothing to set", "patch", "set", "-c", core, "GOGC", "200", "--yes", env=desk.env)
        lab.refused(6, "stands still", "patch", "drain", "-c", core, "--wait", "1", env=desk.env)
        victim.expect_running()
    with Victim([lab.c("patched")]) as victim:
        desk.refused((4, 5), "not a Go program", "set", "GOGC", "200", "--yes", pid=victim.pid)


@case("switch: what runs with other rights than its user's is never set")
def privileged(lab):
    if os.geteuid() != 0:
        raise NotRun("setuid programs take root")
    program = lab.folder / "setuid-switched"
    shutil.copy(lab.go("switched"), program)
    os.chown(program, 0, 0)
    os.chmod(program, 0o4755)
    with Switched([program, "quiet"], prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]) as victim:
        desk = Desk(lab, "setuid", victim.pid)
        desk.refused(6, "setuid", "set", "GOGC", "200", "--yes")
        expect(desk.get("GOGC")["value"] == 100 and desk.events() == [], "it was set")


@case("switch: GOGC that the program itself switched off is not set, as nothing would come of it", matrix=True)
def never_read(lab):
    with Switched([lab.go("switched")], env={"GOGC": "off"}) as victim:
        desk = Desk(lab, "never", victim.pid)
        row = desk.get("GOGC")
        expect(row["value"] == -1 and not row["on"] and "least heap" in row["why_not"], f"{row}")
        desk.refused(6, "only debug.SetGCPercent undoes", "set", "GOGC", "100", "--yes")
        desk.refused(6, "GOGC is off, too", "set", "GOMEMLIMIT", "off", "--yes")
        before = victim.now()["num_gc"]
        desk.set("GOMEMLIMIT", "32M")
        wait_for(lambda: victim.now()["num_gc"] > before, 30, "a memory limit makes it collect no more often")
        victim.expect_running()


@case("switch: in gdb, with its leave alone, and nothing waits to take it back")
def in_gdb(lab):
    with Switched([lab.go("switched"), "quiet"]) as victim:
        desk = Desk(lab, "gdb", victim.pid)
        said = ask_gdb(lab, ["-p", victim.pid], "hf patch get GOGC", "hf patch set GOGC 200 --yes", "set holdfast allow-write on",
                       "hf patch set GOGC 200 --expires 1 --json", "hf patch get GOGC", "hf patch drain --wait 1",
                       env={"XDG_STATE_HOME": str(desk.state)})
        expect(said[0].startswith("GOGC = 100\n"), f"get: {said[0]}")
        expect_line(said[1], "without leave: set holdfast allow-write on")
        done = json.loads(said[3])["result"]
        expect(done["state"] == "set" and done["keeper"] is None and "debugger" in done["keeper_says"], f"{done}")
        expect(said[4].startswith("GOGC = 200\n"), f"get: {said[4]}")
        expect_line(said[5], "stands still")
        victim.expect_running()
        expect(desk.get("GOGC")["value"] == 200 and desk.events() == ["intent", "applied"], f"the journal: {desk.events()}")
        desk.ask("revert", "--all")
        expect(desk.get("GOGC")["value"] == 100, "it was not taken back")


@case("switch: killed at any moment of it, the word is the old or the new one, and the journal tells which")
def killed(lab):
    with Switched([lab.go("switched"), "quiet"]) as victim:
        patcher = Patcher(lab, "switch-killed")
        desk = Desk(lab, "switch-killed-get", victim.pid)
        word = desk.get("GOGC")["addr"]
        run = patcher.run("set", victim.pid, word, 120, "narrow=1", fault="set:0")
        steps = run.stderr.count("fault ")
        expect(run.returncode == 0 and steps >= 6, f"steps of a set: {run.stderr}")
        patcher.ask("revert", victim.pid)
        ends = collections.Counter()
        for step in range(1, steps + 1):
            run = patcher.run("set", victim.pid, word, 120 + step, "narrow=1", fault=f"set:{step}")
            expect(run.returncode == -signal.SIGKILL, f"step {step}: exit {run.returncode}")
            value = desk.get("GOGC")["value"]
            expect(value in (100, 120 + step), f"step {step}: the word holds {value}")
            last = patcher.ask("list", victim.pid)[-1]
            expect(last["state"] == ("applied" if value != 100 else "not-applied"), f"step {step}: {value}, but {last}")
            ends[last["state"]] += 1
            patcher.ask("revert", victim.pid)
            expect(desk.get("GOGC")["value"] == 100, f"step {step}: it is not taken back")
            victim.expect_running()
        expect(ends["applied"] >= 2 and ends["not-applied"] >= 2, f"{ends}")


@case("drain: what two collections free of a pool, told before and after", matrix=True)
def drain(lab):
    with Switched([lab.go("switched"), "quiet"]) as victim:
        desk = Desk(lab, "drain", victim.pid)
        answer = desk.ask("drain", "--pool", "main.pool")
        row, before = answer["pools"][0], answer["collections"]
        expect(len(answer["pools"]) == 1 and row["idle"] == 8 and row["idle_bytes"] == 8 << 16, f"{row}")
        expect(row["idle_after"] is None and row["collections_since"] is None and answer["waited_s"] is None, f"{answer}")
        expect(before == victim.now()["num_gc"] and answer["forced_every_s"] == 120, f"{answer}")
        expect(len(answer["ended"]) == before and abs(answer["ended"][0] - time.time()) < 60, f"{answer['ended']}")
        tool = lab.start("patch", "drain", "-p", victim.pid, "--pool", row["addr"], "--wait", "60", "--json", env=desk.env)
        for _ in range(2):
            time.sleep(0.3)
            victim.collect()
        said, complaint = tool.communicate(timeout=60)
        expect(tool.returncode == 0, f"drain --wait: {complaint}")
        answer = json.loads(said)["result"]
        row = answer["pools"][0]
        expect(row["idle"] - row["idle_after"] == row["idle"] > 0, f"{row}")
        expect(row["idle_bytes_after"] == 0 and answer["waited_for"] >= 2 and answer["waited_s"] < 60, f"{answer}")
        expect(answer["collections"] >= before + 2, f"{answer}")
        short = desk.ask("drain", "--wait", "0.3")
        expect(short["waited_for"] < 2 and re.search("over before", short["says"]), f"{short}")
        victim.expect_running()
