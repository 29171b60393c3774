#!/bin/sh
# bench.sh [MILLIONS...]: what a question costs on heaps of so many million objects (1 and 5), as a Markdown table.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
[ $# -gt 0 ] || set -- 1 5
[ -x "$top/build/holdfast" ] || {
	echo "bench: there is no build/holdfast: ./run build makes it" >&2
	exit 1
}
(cd "$top/tests/victims" && go build -buildvcs=false -o "$scratch/scale" ./scale)
python3 "$top/tests/bench/measure.py" "$top/build/holdfast" "$scratch/scale" "$@"
