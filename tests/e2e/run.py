#!/usr/bin/env python3
"""End-to-end tests: the tool on real processes and cores.

    run.py TOOL [WORD...]     all tests, or those with one of the words in their names

HF_MATRIX=1: those that depend on the Go release on every release that can be had, too; HF_MATRIX=releases: nothing else.
Ends with 'N passed, N failed'.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

import harness
# They register their tests.
import builds, cores, damage, debuggers, described, makers, patch_apply, patch_debuggers, patch_switch, patches, pools    # noqa
import profiles, refusals, safety, sites, slack, stress, thunks, trees, truths, typed, waits    # noqa

RELEASES = ["go1.20.14", "go1.21.13", "go1.22.12", "go1.23.12", "go1.24.13", "go1.25.12", "go1.26.8", "go1.27.4"]


def toolchain_of(release):
    """True where this release can be run."""
    run = subprocess.run(["go", "version"], env={**os.environ, "GOTOOLCHAIN": release}, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True, cwd="/")
    return run.returncode == 0 and release in run.stdout


def run_case(lab, name, function):
    start = time.monotonic()
    try:
        function(lab)
        end, said = "ok", ""
    except harness.NotRun as why:
        end, said = "not run", str(why)
    except harness.Failure as failure:
        end, said = "FAILED", str(failure)
    except Exception as error:      # a test's own mistake is a failure, too, and not the end of the others
        place = error.__traceback__
        while place.tb_next:
            place = place.tb_next
        end, said = "FAILED", f"{type(error).__name__}: {error} ({os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno})"
    print(f"{end:7} {time.monotonic() - start:6.1f} s  {name}" + (f"\n        {said}" if said else ""), flush=True)
    return end


def check_rights(lab):
    """Without the right to trace, nothing here can be tested: that is a failure."""
    with harness.Victim([lab.go("leaky")]) as victim:
        run = lab.ask("overview", "-p", victim.pid)
        if run.returncode == 3:
            sys.exit(f"run.py: the tests need the right to trace their own processes:\n  {run.stderr.strip()}\n0 passed, 1 failed")


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    words, ends = sys.argv[2:], []
    with tempfile.TemporaryDirectory(prefix="holdfast-e2e-") as folder:
        os.chmod(folder, 0o755)
        tool = os.path.join(folder, "holdfast")
        shutil.copy(sys.argv[1], tool)      # where every user may run it
        os.chmod(tool, 0o755)
        sandbox = os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), "sandbox", "holdfast-sandbox")
        if os.path.exists(sandbox):
            shutil.copy(sandbox, folder)
            os.chmod(os.path.join(folder, "holdfast-sandbox"), 0o755)
        lab = harness.Lab(tool, folder)
        check_rights(lab)
        matrix = os.environ.get("HF_MATRIX")
        for name, function, _ in harness.CASES if matrix != "releases" else []:
            if not words or any(word in name for word in words):
                ends.append(run_case(lab, name, function))
        for release in RELEASES if matrix else []:
            if not toolchain_of(release):
                print(f"skipped: {release} cannot be had")
                continue
            inner = os.path.join(folder, release)
            os.mkdir(inner)
            lab = harness.Lab(tool, inner, release)
            for name, function, options in harness.CASES:
                if options.get("matrix") and (not words or any(word in name for word in words)):
                    ends.append(run_case(lab, f"{release}: {name}", function))
    if left := ends.count("not run"):
        print(f"{left} not run")
    print(f"{ends.count('ok')} passed, {ends.count('FAILED')} failed")
    return 1 if "FAILED" in ends or "ok" not in ends else 0


if __name__ == "__main__":
    sys.exit(main())
