#!/usr/bin/env bash
# The service as `make install` lays it out: systemd-analyze finds nothing to say, the installed program finds its library
# beside itself and nowhere in this checkout, and the sandbox's exposure (0 is best, 10 worst) is at most 2.
set -euo pipefail
cd "$(dirname "$0")/.."
stage="$(mktemp -d)"
trap 'rm -rf "$stage"' EXIT

make install DESTDIR="$stage"
lib="$(ldd "$stage/usr/local/bin/gleaner" | sed -n 's/.*libtensorflowlite_c.so => \([^ ]*\).*/\1/p')"
exposure="$(bash systemd/verify.sh "$stage")"
bar="verify clean, exposure at most 2.0, the library found beside the installed program"
figure="verify clean, exposure $exposure, library ${lib#"$stage"}"
if [ "$(realpath "$lib")" = "$(realpath "$stage/usr/local/lib/gleaner/libtensorflowlite_c.so")" ] &&
	awk -v e="$exposure" 'BEGIN {exit !(e != "" && e <= 2)}'; then
	echo "FIGURE $figure BAR $bar PASS"
else
	echo "FIGURE $figure BAR $bar FAIL"
	exit 1
fi
