#!/usr/bin/env bash
# Checks the service as `make install DESTDIR=$1` staged it: systemd-analyze must find nothing to say, the user and the
# folders must come to be, and the last line is the exposure figure of systemd-analyze security. $1 is added to: it gets
# copies of this system's own units, which the service refers to.
set -euo pipefail

stage="$1"
unit=gleaner.service
mkdir -p "$stage/usr/lib/systemd" "$stage/usr/bin"
cp -rn /usr/lib/systemd/system "$stage/usr/lib/systemd/"

words="$(systemd-analyze verify --man=no --root="$stage" "$unit" 2>&1)" || { echo "$words" >&2; exit 1; }
[ -z "$words" ] || { printf 'systemd-analyze verify is not clean:\n%s\n' "$words" >&2; exit 1; }

systemd-sysusers --root="$stage" gleaner.conf 2>/dev/null
grep -q '^gleaner:' "$stage/etc/passwd" || { echo "sysusers made no user gleaner" >&2; exit 1; }
for group in video render plugdev; do
	grep -q "^$group:.*\bgleaner\b" "$stage/etc/group" || { echo "sysusers did not put gleaner into $group" >&2; exit 1; }
done
systemd-tmpfiles --root="$stage" --create gleaner.conf
for folder in var/lib/gleaner/models etc/gleaner; do
	[ -d "$stage/$folder" ] || { echo "tmpfiles made no /$folder" >&2; exit 1; }
done

systemd-analyze security --offline=true --no-pager --root="$stage" "$unit" |
	sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p'
