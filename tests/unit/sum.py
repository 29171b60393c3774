#!/usr/bin/env python3
"""Adds up the unit tests of a meson test log: sum.py TESTLOG.json. Ends with 'N passed, N failed'."""
import json
import re
import sys

SYNTHESIS = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+) \| Crashing: (\d+)")


def count(result):
    """What passed and failed in one test program. One that ends with an error fails, whatever its tests say."""
    text = re.sub(r"\033\[[0-9;]*m", "", result.get("stdout", "") + result.get("stderr", ""))
    found = SYNTHESIS.search(text)
    passed, failed = (int(found[2]), int(found[1]) - int(found[2])) if found else (0, 0)
    if failed == 0 and (result["result"] != "OK" or passed == 0):
        failed = 1
    return passed, failed


def main():
    try:
        with open(sys.argv[1], encoding="utf-8") as log:
            results = [json.loads(line) for line in log if line.strip()]
    except FileNotFoundError:
        sys.exit("no unit test was run")
    passed = failed = 0
    for result in results:
        p, f = count(result)
        passed, failed = passed + p, failed + f
        if f:
            print(f"FAIL {result['name']}: {f} of {p + f} ({result['result']})")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
