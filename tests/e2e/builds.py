"""Programs as they are shipped: stripped, position-independent, with C, with experiments, and of releases to come."""
import os
import shutil
import subprocess

import truths
from harness import NotRun, VICTIMS, Victim, case, expect

MATRIX = bool(os.environ.get("HF_MATRIX"))


def build(lab, name, *flags, toolchain=None, **env):
    """Builds a victim in its own way; the path of the program."""
    key = (name, flags, toolchain, tuple(sorted(env.items())))
    if key in lab.built:
        return lab.built[key]
    out = lab.folder / f"{name.replace('/', '-')}-built{len(lab.built)}"
    settings = {**lab.go_environment(), **env}
    if toolchain:
        settings["GOTOOLCHAIN"] = toolchain
        if subprocess.run(["go", "version"], env=settings, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            raise NotRun(f"{toolchain} cannot be had")
    if settings["CGO_ENABLED"] == "1" and not shutil.which("gcc"):
        raise NotRun("there is no C compiler for cgo")
    run = subprocess.run(["go", "build", *flags, "-o", str(out), "./" + name], cwd=VICTIMS, text=True, env=settings,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    expect(run.returncode == 0, f"go build {' '.join(flags)} {name}: {run.stdout.strip()[-400:]}")
    lab.built[key] = out
    return out


def check_held(asked, truth):
    """A why of a program whose variables have no names: any root of the kind, by way of the steps."""
    got = asked.why(truth["address"])
    expect(got["state"] == "live" and got["chains"], f"state is {got['state']}, {len(got['chains'])} chains")
    kind = [c for c in got["chains"] if c["root"]["kind"] == truth.get("root_kind", c["root"]["kind"])]
    expect(kind, f"root kinds: {[c['root']['kind'] for c in got['chains']]}")
    expect(any(truths.goes_via(truth["via"], c) for c in kind),
           f"no chain via {truth['via']}: {[kind[0]['root']['via'], *(s['via'] for s in kind[0]['steps'])][:12]}")


def check_if_typed(asked, truth):
    """A type that may be unknown, but not another one."""
    got = asked.info(truth["address"])["type"]
    expect(got in ("?", truth["type"]), f"type is {got}, not {truth['type']}")


truths.CHECKS["held"] = check_held
truths.CHECKS["if typed"] = check_if_typed


def nameless(said, steps):
    """What of a victim's truths a stripped program shows. steps: with the names of the steps between objects, too."""
    for truth in said:
        if truth["truth"] == "why":
            yield {**truth, "truth": "held", "via": truth["via"] if steps else []}
        elif truth["truth"] == "type" and not steps:
            yield {**truth, "truth": "if typed"}
        elif truth["truth"] != "count" or steps:
            yield truth


def hold_against(lab, program, *arguments, select=list, env=None):
    """The truths that select leaves, on the live process and on its core."""
    core = lab.folder / "builds.core"
    with Victim([program, *arguments], env=env) as victim:
        said = list(select(victim.truths))
        expect(said, "the victim has said nothing")
        wrong = truths.falsehoods(lab, ["-p", victim.pid], said)
        lab.result("snap", "-p", victim.pid, "-o", core)
        victim.expect_running()
    try:
        wrong += [f"on the core: {line}" for line in truths.falsehoods(lab, ["-c", core, "-e", program], said)]
    finally:
        os.unlink(core)
    truths.expect_none(wrong, said)


def stripped(lab, *flags, **options):
    both = flags or ("-ldflags=-s -w",)
    hold_against(lab, build(lab, "leaky", *both, **options), select=lambda said: nameless(said, True))
    hold_against(lab, build(lab, "holds", *both, **options), select=lambda said: nameless(said, False))


def plain(lab, *flags, **options):
    for name in ("leaky", "holds"):
        hold_against(lab, build(lab, name, *flags, **options))


@case("builds: stripped", matrix=True)
def bare(lab):
    stripped(lab)


@case("builds: stripped, its counters and names")
def bare_words(lab):
    with Victim([build(lab, "leaky", "-ldflags=-s -w")]) as victim:
        heap = lab.result("overview", "-p", victim.pid)[0]["heaps"][0]
        expect(heap["exact"] and heap["gomaxprocs"], f"counters: {heap['exact']}, GOMAXPROCS {heap['gomaxprocs']}")
        expect(heap["gc_phase"] == "unknown", f"the phase of the collector is not known, but {heap['gc_phase']}")
        rows = lab.result("top", "-p", victim.pid, "--by", "root")[0]["rows"]
        expect(any(r["name"].startswith((".bss+0x", ".data+0x")) for r in rows), f"roots: {[r['name'] for r in rows][:5]}")
        waits = {g["wait"] for g in lab.result("goroutines", "-p", victim.pid, "--limit", "0")[0]["groups"]}
        expect("chan send" in waits, f"reasons to wait: {sorted(waits)}")


@case("builds: symbols without DWARF")
def symbols(lab):
    hold_against(lab, build(lab, "leaky", "-ldflags=-w"))


@case("builds: position-independent")
def pie(lab):
    hold_against(lab, build(lab, "leaky", "-buildmode=pie"))
    hold_against(lab, build(lab, "leaky", "-buildmode=pie", "-ldflags=-s -w"), select=lambda said: nameless(said, True))


@case("builds: with C")
def with_c(lab):
    hold_against(lab, build(lab, "cgo", CGO_ENABLED="1"))
    hold_against(lab, build(lab, "cgo", "-ldflags=-s -w", CGO_ENABLED="1"), select=lambda said: nameless(said, False))


def renamed(lab, program, to):
    """A copy that says it is of another release."""
    said = subprocess.run(["go", "version", str(program)], text=True, stdout=subprocess.PIPE, check=True).stdout
    version = said.split()[-1].encode()
    expect(len(version) == len(to), f"{version} and {to} differ in length")
    copy = lab.folder / f"{program.name}-{to}"
    copy.write_bytes(program.read_bytes().replace(version, to.encode()))
    copy.chmod(0o755)
    return copy


@case("builds: a release to come")
def future(lab):
    hold_against(lab, renamed(lab, build(lab, "leaky"), "go1.28.9"))
    with Victim([renamed(lab, build(lab, "leaky", "-ldflags=-s -w"), "go1.28.9")]) as victim:
        lab.refused(5, "go1.28.9 is not supported", "overview", "-p", victim.pid)
        victim.expect_running()


def matrix_case(name):
    return case(name) if MATRIX else lambda function: function


@matrix_case("builds: with the race detector")
def race(lab):
    plain(lab, "-race", CGO_ENABLED="1")


@matrix_case("builds: linked by the C linker")
def external(lab):
    plain(lab, "-ldflags=-linkmode=external", CGO_ENABLED="1")
    stripped(lab, "-ldflags=-linkmode=external -s -w", CGO_ENABLED="1")


def experiment(release, name):
    @matrix_case(f"builds: {release} with GOEXPERIMENT={name}")
    def run(lab):
        plain(lab, toolchain=release, GOEXPERIMENT=name)
        stripped(lab, toolchain=release, GOEXPERIMENT=name)
    return run


for release, name in (("go1.24.13", "noswissmap"), ("go1.25.12", "noswissmap"), ("go1.25.12", "greenteagc"),
                      ("go1.26.8", "nogreenteagc"), ("go1.27.4", "nogreenteagc")):
    experiment(release, name)


def arenas_of(release):
    @matrix_case(f"builds: {release} with user arenas")
    def run(lab):
        hold_against(lab, build(lab, "userarena", toolchain=release, GOEXPERIMENT="arenas"))
    return run


for release in ("go1.20.14", "go1.21.13", "go1.22.12", "go1.24.13", "go1.26.8", "go1.27.4"):
    arenas_of(release)


@matrix_case("builds: plugins")
def plugins(lab):
    plugin = build(lab, "plugin/plug", "-buildmode=plugin", CGO_ENABLED="1")
    hold_against(lab, build(lab, "plugin/host", CGO_ENABLED="1"), plugin)


@matrix_case("builds: timers of both kinds, stripped")
def timers(lab):
    program = build(lab, "holds", "-ldflags=-s -w")
    for knob in ("asynctimerchan=0", "asynctimerchan=1"):
        hold_against(lab, program, select=lambda said: nameless(said, False), env={"GODEBUG": knob})
