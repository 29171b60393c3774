"""Constructors of C pools: dry runs of sound and unsound ones say what the victim says, however it was built."""
import json
import shutil
import subprocess

from harness import VICTIMS, NotRun, Victim, case, expect

FILE = VICTIMS / "c" / "makers.json"
# What a build changes: how libraries are called, what is inlined, which symbols and debug information there are.
BUILDS = ([], ["-O2"], ["-O0", "-no-pie"], ["-O2", "-fno-plt"], ["-O2", "-Wl,-z,now"], ["-static", "-O2"])


def dry_run(lab, name, *target):
    run = lab.ask("patch", "dry-run", *target, "--pool-file", FILE, "--pool", "makers", "--to", name, "--hold-max", "200", "--json")
    expect(run.returncode in (0, 6) and run.stdout, f"{name}: exit {run.returncode}: {run.stderr.strip()[-300:]}")
    return json.loads(run.stdout)["result"]


def wrong(t, result):
    """What of a truth does not hold; "" where all does."""
    if (result["verdict"], result["reason"] or "") != (t["verdict"], t["reason"]):
        return f"{t['name']}: {result['verdict']} {result['reason']} ({result.get('why')}), not {t['verdict']} {t['reason']}"
    if t["bytes"] >= 0 and result["allocated_bytes"] != t["bytes"]:
        return f"{t['name']}: allocated {result['allocated_bytes']} bytes, not {t['bytes']}"
    return ""


def expect_truths(lab, victim, *target):
    truths = [t for t in victim.truths if t["truth"] == "ctor"]
    expect(len(truths) > 40, "the victim says too little of its constructors")
    failed = [said for t in truths if (said := wrong(t, dry_run(lab, t["name"], *target)))]
    expect(not failed, "; ".join(failed))


@case("constructors in C: a dry run says what each does, however the program was built")
def truths_of_builds(lab):
    for flags in BUILDS:
        with Victim([lab.c("makers", *flags)]) as victim:
            expect_truths(lab, victim, "-p", victim.pid)
            victim.expect_running()


@case("constructors in C: built by clang, in DWARF 5")
def truths_of_clang(lab):
    clang = shutil.which("clang") or shutil.which("clang-14")
    if not clang:
        raise NotRun("there is no clang")
    program = lab.folder / "makers-clang"
    subprocess.run([clang, "-g", "-gdwarf-5", "-O2", "-w", "-o", program, VICTIMS / "c" / "makers.c", "-lpthread"], check=True)
    with Victim([program]) as victim:
        expect_truths(lab, victim, "-p", victim.pid)
        victim.expect_running()


@case("constructors in C: in a core, where the process is gone")
def truths_of_core(lab):
    core = lab.folder / "makers.core"
    with Victim([lab.c("makers")]) as victim:
        lab.result("snap", "-p", victim.pid, "-o", core)
    expect_truths(lab, victim, "-c", core)
    core.unlink()
