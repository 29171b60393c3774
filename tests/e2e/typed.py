"""What has a type, and how much: objects of each kind of holder, and the shares of what is live."""
import os

from harness import Victim, case, expect

# An unsafe.Pointer alone leads to two blocks of 9 KiB in it, whose types no release before 1.22 keeps.
WITHOUT_HEADERS = {"holds": 99.3}


def core_of(lab, name):
    program, core = lab.go(name), lab.folder / f"{name}.typing.core"
    with Victim([program]) as victim:
        lab.result("snap", "-p", victim.pid, "-o", core)
        return program, core, victim.truths


@case("typing: objects that one thing alone holds", matrix=True)
def kinds(lab):
    program, core, truths = core_of(lab, "typed")
    try:
        wanted = [t for t in truths if t["truth"] == "typed"]
        expect(len(wanted) > 20, f"{len(wanted)} truths")
        objects = lab.result("info", "-c", core, "-e", program, *(t["address"] for t in wanted))[0]["objects"]
        wrong = [f"{t['what']}: {o['type']} ({o['state']}), not {t['type']}" for t, o in zip(wanted, objects)
                 if (o["type"], o["state"]) != (t["type"], "live")]
        expect(not wrong, f"{len(wrong)} of {len(wanted)}:\n    " + "\n    ".join(wrong))
    finally:
        os.unlink(core)


def shares(lab, *target):
    heap = lab.result("overview", *target)[0]["heaps"][0]
    expect(heap["typed_objects"] + heap["partly_typed_objects"] + heap["untyped_objects"] == heap["live_objects"],
           f"typed, in part and not at all: not all that is live: {heap}")
    expect(heap["typed_bytes"] + heap["partly_typed_bytes"] <= heap["live_bytes"], f"more bytes than are live: {heap}")
    objects, size = heap["typed_objects"] + heap["partly_typed_objects"], heap["typed_bytes"] + heap["partly_typed_bytes"]
    return 100 * objects / heap["live_objects"], 100 * size / heap["live_bytes"], heap


@case("typing: nearly all that is live has a type", matrix=True)
def nearly_all(lab):
    for name in ("holds", "leaky", "typed"):
        program, core, truths = core_of(lab, name)
        try:
            objects, size, heap = shares(lab, "-c", core, "-e", program)
        finally:
            os.unlink(core)
        old = any(version in heap["version"] for version in ("go1.20", "go1.21"))
        least = WITHOUT_HEADERS.get(name, 99.9) if old else 99.9
        expect(objects >= 99.5 and size >= least, f"{name}: {objects:.2f} % of objects, {size:.2f} % of bytes: {heap}")


@case("typing: while goroutines allocate", matrix=True)
def in_flux(lab):
    """What a goroutine is just making has no type yet: of a small heap that is a part that can be seen, and at one stop in
    fifty or so a table that grows is not yet known by its map."""
    with Victim([lab.go("churn")]) as victim:
        seen = [shares(lab, "-p", victim.pid)[:2] for _ in range(9)]
        middle = [sorted(part)[4] for part in zip(*seen)]
        expect(min(middle) >= 97, f"percents of objects and bytes: {seen}")
        victim.expect_running()
