"""What victims say of themselves, held against the tool's answers, live and on a core."""
import os
import re

from harness import Failure, Victim, case, expect

MAX_CHAINS = 8


class Asked:
    """The answers to all truths of a victim: one question a command, whatever the number of addresses."""

    def __init__(self, lab, target, truths):
        self.lab, self.target, self.truths, self.kept = lab, target, truths, {}

    def by_address(self, command, *options):
        if command not in self.kept:
            kinds = {"why": ("why", "held"), "info": ("type", "if typed", "unreachable", "live")}[command]
            words = list(dict.fromkeys(t["address"] for t in self.truths if t["truth"] in kinds))
            objects = self.lab.result(command, *self.target, *options, *words)[0]["objects"]
            expect(len(objects) == len(words), f"{len(words)} addresses are asked, {len(objects)} answered")
            self.kept[command] = dict(zip(words, objects))
        return self.kept[command]

    def why(self, address):
        return self.by_address("why", "--max", MAX_CHAINS)[address]

    def info(self, address):
        return self.by_address("info")[address]

    def rows(self, command, key, *options):
        if (command, options) not in self.kept:
            self.kept[command, options] = self.lab.result(command, *self.target, "--limit", "0", *options)[0][key]
        return self.kept[command, options]


def holds(thing, address):
    start = int(thing["address"], 16)
    return start <= int(address, 16) < start + max(thing["size"], 1)


def goes_via(wanted, chain):
    path, at = "\n".join([chain["root"].get("via") or "", *(step["via"] for step in chain["steps"])]), 0
    for word in wanted:
        at = path.find(word, at)
        if at < 0:
            return False
        at += len(word)
    return True


def check_heap(asked, truth):
    heap = asked.lab.result("overview", *asked.target)[0]["heaps"][0]
    expect(heap["runtime"] == "go" and heap["version"] == truth["go"], f"it is {heap['runtime']} {heap['version']}")
    expect(abs(heap["objects"] - truth["objects"]) <= 8, f"{heap['objects']} objects, not {truth['objects']}")
    expect(abs(heap["bytes"] - truth["bytes"]) <= 16384, f"{heap['bytes']} bytes, not {truth['bytes']}")
    expect(heap["exact"], f"the self-check is not exact: {heap['runtime_objects']} objects by the runtime, "
           f"{heap['objects']} walked")
    expect(heap["live_objects"] + heap["garbage_objects"] == heap["objects"], "live and garbage do not make up all")


def check_type(asked, truth):
    got = asked.info(truth["address"])
    expect((got["type"], got["size"]) == (truth["type"], truth["size"]), f"{got['type']}, {got['size']} bytes")
    expect(got["address"] == truth["address"], f"starts at {got['address']}")


def check_why(asked, truth):
    got = asked.why(truth["address"])
    expect(holds(got, truth["address"]), f"the answer is about {got['address']}")
    expect(got["state"] == "live", f"state is {got['state']}")
    for chain in got["chains"]:
        expect(chain["steps"] and holds(chain["steps"][-1], truth["address"]), "a chain does not end in the object")
    rooted = [c for c in got["chains"] if c["root"]["name"].split(" ")[0].lstrip("*") == truth["root"]]
    expect(rooted, f"no chain from {truth['root']}; roots: {[c['root']['name'] for c in got['chains']]}")
    kind = [c for c in rooted if c["root"]["kind"] == truth.get("root_kind", c["root"]["kind"])]
    expect(kind, f"root kinds: {[c['root']['kind'] for c in rooted]}")
    expect(any(goes_via(truth["via"], c) for c in kind),
           f"no chain via {truth['via']}: {[kind[0]['root']['via'], *(s['via'] for s in kind[0]['steps'])][:12]}")
    names = [(c["root"]["kind"], c["root"]["name"], c["root"]["via"], c["root"]["address"]) for c in got["chains"]]
    expect(len(set(names)) == len(names), f"two chains have one root: {names}")


def check_unreachable(asked, truth):
    state = asked.info(truth["address"])["state"]
    expect(state in ("garbage", "free"), f"state is {state}")


def check_live(asked, truth):
    state = asked.info(truth["address"])["state"]
    expect(state == "live", f"state is {state}")


def find_row(rows, key, name):
    found = [row for row in rows if row[key] == name]
    expect(len(found) == 1, f"{len(found)} rows with {key} {name!r} among {sorted({row[key] for row in rows})[:8]}")
    return found[0]


def check_count(asked, truth):
    count = find_row(asked.rows("top", "rows", "--by", "type"), "name", truth["type"])["count"]
    expect(count == truth["count"], f"{count}, not {truth['count']}")


def check_goroutines(asked, truth):
    groups = [g for g in asked.rows("goroutines", "groups") if g["function"] == truth["function"]]
    got = [(g["count"], g["wait"]) for g in groups]
    expect(got == [(truth["count"], truth["wait"])], f"{got}")


CHECKS = {name[len("check_"):]: check for name, check in list(globals().items()) if name.startswith("check_")}


def falsehoods(lab, target, truths):
    """Checks each truth; a line for each that the tool does not say."""
    asked, wrong = Asked(lab, target, truths), []
    for truth in sorted(truths, key=lambda t: t["truth"] != "heap"):    # the count first: the victim still breathes
        try:
            CHECKS[truth["truth"]](asked, truth)
        except (Failure, KeyError, IndexError, TypeError, ValueError) as error:
            said = {key: value for key, value in truth.items() if key != "truth"}
            name = "" if isinstance(error, Failure) else type(error).__name__ + ": "
            wrong.append(f"{truth['truth']} {said}: {name}{error}")
    return wrong


def expect_none(wrong, truths):
    expect(not wrong, f"{len(wrong)} of {len(truths)} truths are not what the tool says:\n    " + "\n    ".join(wrong[:40]))


def live_and_core(lab, name, *arguments, env=None):
    """The truths on the live process, and on the core that snap writes of it. What it says of its heap is of a moment
    before: where that alone differs, another process, which may be left in peace meanwhile, is asked."""
    for left in (1, 0):
        wrong, truths = wrong_on_both(lab, name, *arguments, env=env)
        if not all(re.match(r"(on the core: )?heap ", line) for line in wrong) or not left or not wrong:
            expect_none(wrong, truths)
            return


def wrong_on_both(lab, name, *arguments, env):
    program = lab.go(name)
    core = lab.folder / f"{name}.core"
    with Victim([program, *arguments], env=env) as victim:
        expect(victim.truths, "the victim has said nothing")
        wrong = falsehoods(lab, ["-p", victim.pid], victim.truths)
        victim.expect_running()
        lab.result("snap", "-p", victim.pid, "-o", core)
        victim.expect_running()
    try:
        on_core = falsehoods(lab, ["-c", core, "-e", program], victim.truths)
        wrong += [f"on the core: {line}" for line in on_core if line not in wrong]
        wrong += falsehoods(lab, ["-c", core], [t for t in victim.truths if t["truth"] == "heap"])
    finally:
        os.unlink(core)
    return wrong, victim.truths


@case("truths: leaky", matrix=True)
def leaky(lab):
    live_and_core(lab, "leaky")


@case("truths: holds", matrix=True)
def holding(lab):
    live_and_core(lab, "holds")


@case("truths: holds, by a thread that runs", matrix=True)
def spinning(lab):
    live_and_core(lab, "holds", "spin")


@case("truths: holds, with the new timers")
def new_timers(lab):
    live_and_core(lab, "holds", env={"GODEBUG": "asynctimerchan=0"})


@case("truths: leaky, with plain DWARF and as PIE")
def flags(lab):
    for flag in ("-ldflags=-compressdwarf=false", "-buildmode=pie"):
        with Victim([lab.go("leaky", flag)]) as victim:
            expect_none(falsehoods(lab, ["-p", victim.pid], victim.truths), victim.truths)


@case("why: the objects of a type")
def why_type(lab):
    with Victim([lab.go("leaky")]) as victim:
        result = lab.result("why", "-p", victim.pid, "--max", "2", "main.job")[0]
        expect(result["objects"], "no group of main.job")
        for group in result["objects"]:
            expect(group["type"] == "main.job" and group["chains"], f"a group is {group['type']}, chains: {group['chains']}")
        expect(sum(g["count"] for g in result["objects"]) <= 120, "more objects than there are")
    with Victim([lab.go("holds")]) as victim:
        for name in ("container/list.Element", "list.Element"):
            groups = lab.result("why", "-p", victim.pid, "--max", "1", name)[0]["objects"]
            expect(groups and groups[0]["chains"][0]["root"]["name"] == "main.ll", f"why {name}: {groups}")
        page = lab.result("why", "-p", victim.pid, "--max", "1", "page")[0]["objects"]
        expect(page and page[0]["type"] == "main.page", f"the last part of a name alone: {page}")
