#!/usr/bin/env python3
"""The project's own rules, over every file that is kept. Prints one line a finding; exits 1 where there is one.

    lint.py [--no-format]
"""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import layers
import words
import writes

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TEXT = (".c", ".h", ".py", ".go", ".sh", ".md", ".build", ".txt", ".json", ".mod", ".sum")


def kept_files():
    """Paths of the files that git keeps or would keep; without git, of all but what is built."""
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
    paths = listing.stdout.split("\n") if listing.returncode == 0 else walk()
    return sorted({p for p in paths if p and os.path.isfile(os.path.join(TOP, p))})


def walk():
    for folder, folders, names in os.walk(TOP):
        folders[:] = [f for f in folders if not f.startswith((".venv", ".git", "build", "__pycache__"))]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), TOP)


def is_text(path):
    return path.endswith(TEXT) or os.path.basename(path) == "run"


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def check_format(paths):
    tool = shutil.which("clang-format")
    if tool is None:
        yield "clang-format is missing: ./run setup installs it"
        return
    run = subprocess.run([tool, "--dry-run", "--ferror-limit=1", *paths], cwd=TOP, stderr=subprocess.PIPE, text=True)
    for line in run.stderr.split("\n"):
        if "-Wclang-format-violations" in line:
            yield line.split(" ")[0] + " not as clang-format has it: ./run fmt"


def main():
    findings = []
    files = {}
    for path in kept_files():
        if not is_text(path):
            continue
        try:
            files[path] = read(path)
        except UnicodeDecodeError as error:
            findings.append(f"{path}: not UTF-8: {error}")
    for path, text in files.items():
        rules = [words.check] + ([layers.check, writes.check] if path.endswith((".c", ".h")) else [])
        rules += [writes.check_python] if path.endswith(".py") else []
        findings += [f"{path}:{line}: {finding}" for rule in rules for line, finding in rule(path, text)]
    findings += [f"{path}: {finding}" for path, finding in words.check_lists(files)]
    if "--no-format" not in sys.argv:
        findings += check_format([p for p in files if p.endswith((".c", ".h"))])
    if findings:
        print("\n".join(findings))
        print(f"lint: {len(files)} files, {len(findings)} findings")
        return 1
    print(f"lint: {len(files)} files, no findings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
