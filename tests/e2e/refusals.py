"""Bad input: each with its exit code, one line that says what to do, and no harm done."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from harness import NotRun, Victim, case, expect, expect_error, status, wait_for

NOBODY = 65534


@case("usage: each mistake has its line")
def usage(lab):
    mine = os.getpid()
    for words, pattern in (
        ([], "no target"),
        (["overview"], "no target"),
        (["-p", mine, "-c", "core"], "both"),
        (["-p", "x"], "'x'"),
        (["-p", "0"], "'0'"),
        (["-p", "-1"], "'-1'"),
        (["-p", "4294967297"], "4294967297"),
        (["-p"], "-p needs"),
        (["-p", mine, "-p", mine], "twice"),
        (["-p", mine, "-e", "x"], "-e goes with -c"),
        (["overvew", "-p", mine], "did you mean 'overview'"),
        (["frobnicate", "-p", mine], "no command 'frobnicate'"),
        ([str(mine)], f"-p {mine}"),
        (["top", "-p", mine, "--limit", "x"], "--limit.*'x'"),
        (["top", "-p", mine, "--limit", "-3"], "--limit.*'-3'"),
        (["top", "-p", mine, "--by", "moon"], "type, root, goroutine, object, site or field:TYPE.FIELD"),
        (["top", "-p", mine, "--max", "3"], "takes no --max"),
        (["why", "-p", mine], "needs ADDR"),
        (["why", "-p", mine, "--max", "0", "0x1"], "--max.*'0'"),
        (["info", "-p", mine], "needs ADDR"),
        (["dominators", "-p", mine, "--min", "1X"], "--min.*'1X'"),
        (["dominators", "-p", mine, "--min", "101%"], "--min.*'101%'"),
        (["dominators", "-p", mine, "--depth", "0"], "--depth.*'0'"),
        (["dominators", "-p", mine, "--depth", "1000"], "1 to 100"),
        (["dominators", "-p", mine, "--by", "root"], "takes no --by"),
        (["snap", "-p", mine], "--output"),
        (["page", "-p", mine, "word"], "'word'"),
        (["--bogus"], "--bogus"),
        (["-z"], "-z"),
        (["-p", mine, "--json=yes"], "--json takes no value"),
        (["help", "nothing"], "no command 'nothing'"),
        (["bad\x1b[31m\n"], r"no command 'bad"),
    ):
        run = lab.refused(2, pattern, *words)
        expect("\x1b" not in run.stderr, f"control characters of {words} reach the terminal")


@case("usage: help and version")
def help_and_version(lab):
    for words, wanted in ((["--help"], "goroutines"), (["help", "why"], "example:"), (["why", "-h"], "example:"),
                          (["--version"], "holdfast 0.")):
        run = lab.ask(*words)
        expect(run.returncode == 0 and not run.stderr and wanted in run.stdout, f"{words}: {run.stdout[:100]} {run.stderr}")


@case("no such process")
def no_such_process(lab):
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as file:
        beyond = int(file.read()) + 1
    lab.refused(4, str(beyond), "-p", beyond)
    gone = subprocess.Popen(["true"])
    gone.wait()
    lab.refused(4, str(gone.pid), "-p", gone.pid)
    zombie = subprocess.Popen(["true"])
    wait_for(lambda: status(zombie.pid, "State").startswith("Z"), 5, "no zombie")
    lab.refused(4, "zombie|ended|exited", "-p", zombie.pid)
    zombie.wait()


@case("a kernel thread")
def kernel_thread(lab):
    if pathlib.Path("/proc/2/comm").exists() and pathlib.Path("/proc/2/comm").read_text(encoding="ascii") == "kthreadd\n":
        lab.refused(4, "kernel", "-p", 2)
    else:
        raise NotRun("no kernel thread is to be seen from here")


def without_rights():
    """A prefix that makes the tool another user, without any capability."""
    if os.getuid() == 0:
        return [shutil.which("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all",
                "--inh-caps=-all"]
    raise NotRun("only root can give up its rights")


@case("a process of another user, without the capability")
def other_user(lab):
    prefix = without_rights()
    with Victim([lab.go("leaky")]) as victim:
        for words in (["-p", victim.pid], ["why", "-p", victim.pid, "main.Session"], ["snap", "-p", victim.pid, "-o", "/dev/null"]):
            run = lab.refused(3, "CAP_SYS_PTRACE", *words, prefix=prefix)
            expect("--cap-add" in run.stderr or "securityContext" in run.stderr, f"nothing on containers: {run.stderr}")
        victim.expect_running()


@case("a process that is traced already")
def traced(lab):
    with Victim([lab.go("leaky")]) as victim:
        tracer = subprocess.Popen([lab.c("tracer"), str(victim.pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            expect("ready" in tracer.stdout.readline(), "the tracer cannot trace")
            lab.refused({3, 4}, rf"traced.*{tracer.pid}|{tracer.pid}.*trac", "-p", victim.pid)
            expect(status(victim.pid, "TracerPid") == str(tracer.pid), "the other tracer was disturbed")
        finally:
            tracer.communicate("")
        lab.result("overview", "-p", victim.pid)
        victim.expect_running()


@case("no Go program")
def no_go(lab):
    with Victim([lab.c("notgo")]) as victim:
        for words in (["-p", victim.pid], ["why", "-p", victim.pid, "main.X"], ["top", "-p", victim.pid]):
            lab.refused({4, 5}, "Go", *words)
        lab.refused(4, "not permitted|no core|not a core|ELF", "-c", "/etc/passwd")
    sleeper = subprocess.Popen(["/usr/bin/env", "sleep", "1000"])
    try:
        wait_for(lambda: pathlib.Path(f"/proc/{sleeper.pid}/comm").read_text(encoding="ascii") == "sleep\n", 5, "no sleep")
        lab.refused({4, 5}, "Go", "-p", sleeper.pid)
    finally:
        sleeper.kill()
        sleeper.wait()


@case("the first thread is gone")
def zombie_leader(lab):
    with Victim([lab.c("zombieleader")]) as victim:
        lab.refused({4, 5}, "Go|thread|zombie", "-p", victim.pid)
    with Victim([lab.go("busy"), "2", "zombie"]) as victim:
        wait_for(lambda: status(victim.pid, "State").startswith("Z"), 5, "the first thread lives")
        run = lab.ask("overview", "-p", victim.pid, "--json")
        if run.returncode:
            expect_error(run, 4, "thread|zombie", "overview of a process whose first thread is gone")
        before = victim.beats
        wait_for(lambda: victim.beats > before + 2, 5, "it does not run on")


@case("words that are no addresses, and addresses that are no objects")
def words(lab):
    with Victim([lab.go("leaky")]) as victim:
        target = ["-p", victim.pid]
        for word in ("0x", "xyz!", "0xzz", "12ab", "-", "0x10000000000000000", "99999999999999999999999", "", " 0x10"):
            lab.refused(2, "address|type", "info", *target, "--", word)
            lab.refused(2, "address|type", "why", *target, "--", word)
        lab.refused(2, "main.Nothing", "why", *target, "main.Nothing")
        lab.refused(2, "main.Nothing", "dominators", *target, "main.Nothing")
        for word in ("0x0", "0x10", "0xffffffffffffffff", "0x7fffffffffff", "16"):
            lab.refused(2, "no heap object", "why", *target, word)
            lab.refused(2, "no heap object", "dominators", *target, word)
            objects = lab.result("info", *target, word)[0]["objects"]
            expect(objects[0]["state"] == "unknown", f"info {word}: {objects[0]}")
        stale = [t["address"] for t in victim.truths if t["truth"] == "unreachable"]
        result = lab.result("why", *target, stale[0])[0]
        expect(result["objects"][0]["state"] == "garbage" and not result["objects"][0]["chains"], f"garbage: {result}")
        lab.refused(2, "is garbage", "dominators", *target, stale[0])
        victim.expect_running()


@case("a process that ends midway")
def ends_midway(lab):
    program, codes = lab.go("scale"), set()
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8):
        with Victim([program, "1"]) as victim:
            tool = lab.start("top", "-p", victim.pid)
            time.sleep(delay)
            victim.process.kill()
            out, err = tool.communicate(timeout=60)
            if tool.returncode:
                expect_error(subprocess.CompletedProcess([], tool.returncode, out, err), 4, str(victim.pid), f"killed after {delay} s")
            codes.add(tool.returncode)
    expect(4 in codes, "none was killed midway")


@case("a process that becomes another midway")
def execs_midway(lab):
    program = lab.go("scale")
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8):
        with Victim([program, "1"], stdin=subprocess.PIPE) as victim:
            tool = lab.start("top", "-p", victim.pid)
            time.sleep(delay)
            victim.process.stdin.write("x")
            victim.process.stdin.flush()
            out, err = tool.communicate(timeout=60)
            if tool.returncode:
                expect_error(subprocess.CompletedProcess([], tool.returncode, out, err), {4, 5}, "exec|Go|changed|another|" + str(victim.pid),
                             f"another program after {delay} s")
            wait_for(lambda: status(victim.pid, "Name") == "sleep", 10, "it did not become another")
            wait_for(lambda: status(victim.pid, "State")[0] == "S", 5, "the new program does not run")
            expect(status(victim.pid, "TracerPid") == "0", "the new program is traced")


@case("the executable is deleted, or replaced")
def replaced(lab):
    for how in ("deleted", "replaced"):
        program = lab.folder / f"service-{how}"
        shutil.copy(lab.go("leaky"), program)
        with Victim([program]) as victim:
            os.unlink(program)
            if how == "replaced":
                shutil.copy(lab.go("holds"), program)
            address = next(t["address"] for t in victim.truths if t["truth"] == "type" and t["type"] == "main.Session")
            got = lab.result("info", "-p", victim.pid, address)[0]["objects"][0]
            expect(got["type"] == "main.Session", f"{how}: type is {got['type']}")


@case("a process in namespaces of its own")
def namespaces(lab):
    unshare = ["unshare", "--pid", "--mount", "--fork", "--mount-proc"]
    if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode:
        raise NotRun("unshare makes no namespaces here")
    with Victim([lab.go("leaky")], prefix=[*unshare, "--kill-child"]) as victim:
        with open(f"/proc/{victim.pid}/task/{victim.pid}/children", encoding="ascii") as file:
            inner = int(file.read().split()[0])
        why = [t for t in victim.truths if t["truth"] == "why"]
        for truth in why:
            chains = lab.result("why", "-p", inner, truth["address"])[0]["objects"][0]["chains"]
            expect(any(c["root"]["name"].startswith(truth["root"]) for c in chains), f"{truth}: {chains}")


@case("files that cannot be written")
def unwritable(lab):
    with Victim([lab.go("leaky")]) as victim, tempfile.TemporaryDirectory(dir=lab.folder) as folder:
        lab.refused(4, "nowhere", "snap", "-p", victim.pid, "-o", f"{folder}/nowhere/core")
        lab.refused(4, folder, "snap", "-p", victim.pid, "-o", folder)
        expect(os.listdir(folder) == [], f"left behind: {os.listdir(folder)}")
        victim.expect_running()
