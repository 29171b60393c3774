"""Stops at any moment: a process that allocates, collects and moves stacks, and knows what is live."""
import os
import signal
import struct

from harness import case, expect, thread_states, wait_for, Victim

# Words a question: what is asked of one stop is one command line.
ADDRESSES = 200


def freeze(victim):
    os.kill(victim.pid, signal.SIGSTOP)
    wait_for(lambda: set(thread_states(victim.pid)) <= {"T"}, 5, "it does not stop")


def thaw(victim):
    os.kill(victim.pid, signal.SIGCONT)
    wait_for(lambda: "T" not in thread_states(victim.pid), 5, "it does not go on")


def known_live(victim, told):
    """What the victim says is live at this moment, read from its memory while it stands still."""
    with open(f"/proc/{victim.pid}/mem", "rb", buffering=0) as memory:
        memory.seek(int(told["address"], 16))
        words = struct.unpack(f"<{told['count']}Q", memory.read(8 * told["count"]))
    return [hex(word ^ told["mask"]) for word in words if word]


def one_stop(lab, victim, told):
    """Looks at one frozen moment; returns (objects asked for, by how much the counts differ, bad pointers)."""
    live = known_live(victim, told)
    for at in range(0, len(live), ADDRESSES):
        result, answer = lab.result("info", "-p", victim.pid, *live[at:at + ADDRESSES])
        wrong = [(o["query"], o["state"], o["text"]) for o in result["objects"] if o["state"] != "live"]
        expect(not wrong, f"{len(wrong)} of {len(live)} live objects are not called live: {wrong[:3]}")
        expect(answer["complete"], f"not complete: {answer['warnings']}")
    heap = lab.result("overview", "-p", victim.pid)[0]["heaps"][0]
    return len(live), abs(heap["objects"] - heap["runtime_objects"]), heap["dangling_pointers"]


def vdso(victim):
    with open(f"/proc/{victim.pid}/maps", encoding="utf-8") as maps:
        line = next(line for line in maps if line.rstrip().endswith("[vdso]"))
    start, end = line.split()[0].split("-")
    return range(int(start, 16), int(end, 16))


def is_any_in(victim, addresses):
    """True where a thread of the frozen process is at one of these addresses."""
    for tid in os.listdir(f"/proc/{victim.pid}/task"):
        with open(f"/proc/{victim.pid}/task/{tid}/syscall", encoding="utf-8") as words:
            if int(words.read().split()[-1], 16) in addresses:
                return True
    return False


def many_stops(lab, *arguments):
    stops = int(os.environ.get("HF_STOPS", "100" if os.environ.get("HF_MATRIX") else "25"))
    asked, inexact, dangling, in_vdso = 0, 0, 0, 0
    with Victim([lab.go("churn"), *arguments]) as victim:
        told = next(t for t in victim.truths if t["truth"] == "known")
        clock = vdso(victim)
        for _ in range(stops):
            freeze(victim)
            in_vdso += is_any_in(victim, clock)
            objects, difference, bad = one_stop(lab, victim, told)
            thaw(victim)
            asked += objects
            inexact += difference > 0
            dangling += bad
            # A stop amid a refill leaves one span of a thread's cache between the books: at most 1024 slots each.
            expect(difference <= 4096, f"the counts differ by {difference} objects")
        victim.expect_running()
    expect(asked > stops, f"only {asked} objects were known in {stops} stops")
    expect(dangling == 0, f"{dangling} pointers of live objects lead to free memory")
    print(f"        {stops} stops, {in_vdso} of them in the vdso; {asked} live objects asked for, counts not exact in {inexact}",
          flush=True)


@case("stopped at any moment: nothing live is called garbage", matrix=True)
def stress(lab):
    many_stops(lab, "4")


@case("stopped in odd places: the vdso, signal handlers, preempted loops, the system's stack", matrix=True)
def odd_places(lab):
    many_stops(lab, "1", "odd")
