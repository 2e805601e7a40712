#!/usr/bin/env bash
# From nothing to labelled objects: bootstraps a minimal Debian 12 in a temporary folder, clones this repository's HEAD into
# it, runs `make run` there and times how long it takes until mosquitto_sub, told nothing but what the terminal says, prints
# a first object. Then it kills the demo and runs it a second time.
#
# The fresh system is given what its owner would have: Go (this machine's, mounted read-only), git and make, the machine's
# apt sources, certificates and registry settings. No module, build or download cache is shared. Needs root.
#
#   prove/1-fresh-clone.sh          the proof
#   prove/1-fresh-clone.sh build    only `make build` twice, with the times (for work on the set-up)
set -euo pipefail

goal="${1:-run}"
first_bar=600 second_bar=60
repo="$(cd "$(dirname "$0")/.." && pwd)"
[ "$(id -u)" = 0 ] || { echo "only root can bootstrap a system" >&2; exit 1; }

root="$(mktemp -d "${TMPDIR:-/tmp}/fresh.XXXXXX")"
log="$root.log"
inside=
cleanup() {
	[ -z "$inside" ] || kill -KILL "$inside" 2>/dev/null || true
	rm -rf --one-file-system "$root" "$log"
}
trap cleanup EXIT

bootstrap() {
	local sources=() f
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
		[ ! -s "$f" ] || ! grep -q bookworm "$f" || sources+=("$f")
	done
	mmdebstrap --quiet --variant=minbase --include=ca-certificates,git,make bookworm "$root" "${sources[@]}"
	for f in /etc/apt/apt.conf.d/*; do
		! grep -q Acquire "$f" || cp "$f" "$root/etc/apt/apt.conf.d/"
	done
	cp /etc/resolv.conf /etc/hosts "$root/etc/"
	rm -rf "$root/etc/ssl/certs"
	cp -rL /etc/ssl/certs "$root/etc/ssl/certs"
	mkdir -p "$root/usr/local/go" "$root/srv/home"
	[ ! -f ~/.npmrc ] || cp ~/.npmrc "$root/srv/home/"
	git clone -q --no-local "$repo" "$root/srv/gleaner"
}

# settings are the registries that this machine's clients are told to use, if they are told.
settings() {
	local name
	for name in GOPROXY GOSUMDB GONOSUMDB; do printf '%s=%s\n' "$name" "$(go env "$name")"; done
	[ -z "${NODE_EXTRA_CA_CERTS:-}" ] || printf 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\n'
}

# enter becomes a command in the fresh system, whose processes and mounts end with it. Call it in a shell of its own: in
# the background, where $! is then the process whose end is everybody's end, or within parentheses.
enter() {
	local set
	mapfile -t set < <(settings)
	exec unshare --mount --pid --fork --kill-child -- bash -euc '
		mount --bind "$1" "$2/usr/local/go" && mount -o remount,bind,ro "$2/usr/local/go"
		mount -t proc proc "$2/proc" && mount --rbind /dev "$2/dev"
		root="$2"; shift 2
		exec chroot "$root" env -i HOME=/srv/home TERM=dumb LANG=C.UTF-8 \
			PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
	' enter "$(go env GOROOT)" "$root" "${set[@]}" "$@"
}

# first_object prints the first object record that arrives within $1 seconds at the broker that the log names.
first_object() {
	local deadline=$((SECONDS + $1)) port
	while [ "$SECONDS" -lt "$deadline" ]; do
		kill -0 "$inside" 2>/dev/null || { echo "make run ended by itself; its last words:" >&2; tail -n 20 "$log" >&2; return 1; }
		port="$(sed -n 's/.*mosquitto_sub.* -p \([0-9]\+\).*/\1/p' "$log" | tail -n 1)"
		if [ -n "$port" ] && timeout 2 mosquitto_sub -h 127.0.0.1 -p "$port" -t '+/v1/+/+/cam/+/object' -C 1 2>/dev/null; then
			return 0
		fi
		sleep 0.2
	done
	echo "no object within $1 s; the last of what make run said:" >&2
	tail -n 20 "$log" >&2
	return 1
}

# time_run starts `make run`, waits for an object, kills everything, and leaves the seconds it took in $took.
time_run() { # bar
	local start=$EPOCHREALTIME record
	: >"$log"
	enter make -C /srv/gleaner run >"$log" 2>&1 </dev/null &
	inside=$!
	# The bar is judged at the end; the wait is longer, so that a slow run still yields its figure.
	record="$(first_object $(($1 * 2)))" || return 1
	took="$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}')"
	grep -q '"schema":"object/1"' <<<"$record" || { echo "not an object record: $record" >&2; return 1; }
	echo "first object after $took s: $record"
	kill -KILL "$inside" 2>/dev/null || true
	wait "$inside" 2>/dev/null || true
	inside=
}

echo "bootstrapping a minimal Debian 12 in $root"
bootstrap
if [ "$goal" = build ]; then
	for turn in first second; do
		start=$EPOCHREALTIME
		(enter make -C /srv/gleaner build)
		awk -v t="$turn" -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {printf "%s make build: %.1f s\n", t, b - a}'
	done
	exit 0
fi
bar="first object over MQTT within $first_bar s with nothing installed, within $second_bar s the second time"
if time_run "$first_bar" && first="$took" && time_run "$second_bar" && second="$took"; then
	verdict="$(awk -v a="$first" -v A="$first_bar" -v b="$second" -v B="$second_bar" 'BEGIN {print a <= A && b <= B ? "PASS" : "FAIL"}')"
	echo "FIGURE $first s, then $second s BAR $bar $verdict"
	[ "$verdict" = PASS ]
else
	echo "FIGURE no object arrived BAR $bar FAIL"
	exit 1
fi
