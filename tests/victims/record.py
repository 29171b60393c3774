#!/usr/bin/env python3
"""record.py OUT COMMAND [WORD...]: runs a command in a terminal of 100 columns, and keeps what it shows, and when, as an
asciicast (version 2) in OUT: `asciinema play OUT`. Waits of more than two seconds are cut to that."""
import json
import os
import pty
import sys
import time

COLUMNS, ROWS, LONGEST = 100, 40, 2.0


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    events, last, at = [], time.monotonic(), 0.0

    def read(descriptor):
        nonlocal last, at
        shown = os.read(descriptor, 65536)
        now = time.monotonic()
        at += min(now - last, LONGEST)
        last = now
        events.append([round(at, 3), "o", shown.decode("utf-8", "replace")])
        return shown

    os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
    status = pty.spawn(["sh", "-c", f'stty cols {COLUMNS} rows {ROWS}; exec "$@"', "sh", *sys.argv[2:]], read)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write(json.dumps({"version": 2, "width": COLUMNS, "height": ROWS, "title": "holdfast: ./run demo"}) + "\n")
        out.writelines(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
