#!/usr/bin/env bash
# Installs what `make build` built below $DESTDIR$PREFIX, with the service. Called by `make install`.
#
# A configuration that is there already is kept. Nothing is started or enabled, and with DESTDIR set (a package being
# staged) no user is made either.
set -euo pipefail

prefix="${PREFIX:-/usr/local}" dest="${DESTDIR:-}"
cd "$(dirname "$0")/.."
to="$dest$prefix"

install -D -m 0755 -t "$to/bin" bin/gleaner
install -D -m 0644 -t "$to/lib/gleaner" .native/lib/libtensorflowlite_c.so
install -D -m 0644 -t "$to/share/gleaner/models" .native/models/*
install -D -m 0644 systemd/gleaner.sysusers "$to/lib/sysusers.d/gleaner.conf"
install -D -m 0644 systemd/gleaner.tmpfiles "$to/lib/tmpfiles.d/gleaner.conf"
install -D -m 0644 -t "$to/lib/udev/rules.d" systemd/60-gleaner.rules
install -d "$to/lib/systemd/system"
sed "s|@PREFIX@|$prefix|g" systemd/gleaner.service >"$to/lib/systemd/system/gleaner.service"
chmod 0644 "$to/lib/systemd/system/gleaner.service"
for doc in README.md ARCHITECTURE.md config/example.yaml config/REFERENCE.md; do
	[ ! -f "$doc" ] || install -D -m 0644 -t "$to/share/doc/gleaner" "$doc"
done
[ -e "$dest/etc/gleaner/gleaner.yaml" ] || install -D -m 0640 config/example.yaml "$dest/etc/gleaner/gleaner.yaml"

if [ -z "$dest" ] && [ -d /run/systemd/system ]; then
	systemd-sysusers gleaner.conf
	systemd-tmpfiles --create gleaner.conf
	udevadm control --reload
	systemctl daemon-reload
	echo "installed; start it with: systemctl enable --now gleaner"
else
	echo "installed below ${to:-/}; this system's services were left alone"
fi
