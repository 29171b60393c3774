"""What any text file of the project must not hold, how long it may be, and that each source is in a list."""
import re

MAX_LINES = 700
TABS = re.compile(r"\.[ch]$|\.go$|(^|/)run$")
CODE = re.compile(r"\.(c|h|py|go|sh|build)$|(^|/)run$")

# Written in two parts, so that this file does not hold them itself.
FORBIDDEN = [
    (re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b"), "a thing left to do: do it, or leave it out"),
    (re.compile(r"(?<![\w.$})])/(ho" r"me|ro" r"ot|wo" r"rk|Us" r"ers|fa" r"rm)/\w"), "an absolute path of some machine"),
    (re.compile(r"bash" r"_jobs|\.lib" r"rary\b"), "a word about some machine's tools"),
]


def check(path, text):
    """Yields (line, finding)."""
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end"
    if text.endswith("\n\n"):
        yield text.count("\n"), "an empty line at the end"
    lines = text.split("\n")
    if CODE.search(path) and len(lines) > MAX_LINES + 1:
        yield len(lines), f"{len(lines) - 1} lines: split files by idea before {MAX_LINES}"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "whitespace at the end of the line"
        if TABS.search(path) and re.match(r" {8}", line):
            yield number, "indented with spaces: use tabs"
        if re.search(r"\.(py|build)$", path) and line.startswith("\t"):
            yield number, "indented with tabs: use spaces"
        for pattern, finding in FORBIDDEN:
            if pattern.search(line):
                yield number, finding


# Where the sources of a folder are listed: what they are, the list, how a file is named in it.
LISTS = [
    (re.compile(r"^src/(runtime/\w+|report/\w+)/([\w.]+\.c)$"), "src/{0}/meson.build", "'{1}'"),
    (re.compile(r"^src/(\w+)/([\w.]+\.c)$"), "src/meson.build", "'{0}/{1}'"),
    (re.compile(r"^tests/(unit)/test_(\w+)\.c$"), "tests/meson.build", "'{1}'"),
    (re.compile(r"^tests/(fuzz)/fuzz_(\w+)\.c$"), "tests/meson.build", "'{1}'"),
]


def check_lists(files):
    """Yields (path, finding) of sources that no list names. files: path to text."""
    for path in files:
        for pattern, where, name in LISTS:
            match = pattern.match(path)
            if not match:
                continue
            where, name = where.format(*match.groups()), name.format(*match.groups())
            if name not in files.get(where, ""):
                yield path, f"is not built: {where} does not list {name}"
            break
