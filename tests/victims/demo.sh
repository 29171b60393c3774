#!/bin/sh
# demo.sh TOOL: builds a leaking Go service, starts it, and asks what holds its memory. Ends what it started.
set -eu

tool=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
scratch=$(mktemp -d)
victim=
load=

clean_up() {
	exec 3>&- 2>/dev/null || true
	if [ -n "$load" ]; then
		kill -9 "$load" 2>/dev/null || true
	fi
	if [ -n "$victim" ]; then
		kill -9 "$victim" 2>/dev/null || true
		wait "$victim" 2>/dev/null || true
	fi
	rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# Shows a command as one would type it, then what it answers.
ask() {
	printf '\n$ holdfast'
	for word; do
		case $word in
		*[!A-Za-z0-9_./:=-]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
	"$tool" "$@"
}

if ! command -v go >/dev/null; then
	echo "demo: there is no Go to build the service with: ./run setup installs one" >&2
	exit 1
fi
echo "Building a Go service that leaks ($(go env GOVERSION)), and starting it ..."
(cd "$here" && go build -buildvcs=false -o "$scratch/leaky" ./leaky)
mkfifo "$scratch/said"
"$scratch/leaky" 4 >"$scratch/said" 2>/dev/null &
victim=$!

payload=
ready=
while read -r line; do
	case $line in
	*'"Payload"'*) payload=$(expr "$line" : '.*"address":"\(0x[0-9a-f]*\)"') ;;
	*'"ready"'*) ready=yes && break ;;
	esac
done <"$scratch/said"
if [ -z "$ready" ] || [ -z "$payload" ]; then
	echo "demo: the service ended before it was ready" >&2
	exit 1
fi

ask -p "$victim"
ask why -p "$victim" --max 1 "$payload"
ask why -p "$victim" --max 1 main.job

kill -9 "$victim"
wait "$victim" 2>/dev/null || true
victim=

cat <<'END'

That is a cache which never evicts, and workers who wait for ever to hand in their results: both take a new release to
mend. A pool that makes its buffers too large can be mended where it runs. An HTTP server has one, under load:
END
export XDG_STATE_HOME="$scratch/state"
(cd "$here" && go build -buildvcs=false -o "$scratch/webpool" ./webpool)
"$scratch/webpool" serve >"$scratch/said" 2>/dev/null &
victim=$!
address=
while read -r line; do
	case $line in
	*'"address"'*) address=$(expr "$line" : '.*"address":"\([^"]*\)"') ;;
	*'"ready"'*) break ;;
	esac
done <"$scratch/said"
mkfifo "$scratch/go-on"
"$scratch/webpool" load "$address" 8 <"$scratch/go-on" >"$scratch/seen" &
load=$!
exec 3>"$scratch/go-on"
sleep 1

ask pools -p "$victim" --limit 1
ask patch dry-run -p "$victim" --pool main.pool --to main.newSmall
ask patch apply -p "$victim" --pool main.pool --to main.newSmall --yes >"$scratch/applied"
sed -n '1,2p' "$scratch/applied"
echo '[...]'
sed -n '/^patch /,$p' "$scratch/applied"
sleep 4 # until two collections have come by
ask patch status -p "$victim"
exec 3>&-
wait "$load"
printf '\nWhat the clients of the server saw meanwhile:\n  '
cat "$scratch/seen"
ask patch revert -p "$victim" --all

cat <<'END'

Try it on a service of yours (as its user, or with the right to ptrace it):

  holdfast -p PID                       the page
  holdfast top -p PID --by root         which variable or goroutine holds how much
  holdfast why -p PID TYPE              what holds the objects of a type
  holdfast patch dry-run -p PID --pool POOL --to FUNCTION
                            would another constructor do harm? (nothing is written)
  holdfast snap -p PID -o service.core  keep the moment, ask later: holdfast -c service.core
END
