#!/usr/bin/env bash
# Makes this checkout ready to build: the Debian packages it needs, and the native runtime and models in .native/,
# fetched with npm (so that your registry setting holds) and pinned in sums.txt.
#
#   setup/setup.sh              what building and running need
#   setup/setup.sh test         and what the tests need: a foreign broker, ffmpeg, GStreamer plug-ins, systemd-analyze
#   setup/setup.sh prove        and what the proofs need: a bootstrapper for a fresh Debian, a browser
#
# Safe to repeat: with nothing to do it takes well under a second. The tarballs stay in ${XDG_CACHE_HOME:-~/.cache}/gleaner,
# and with them there it needs no network. GLEANER_SKIP_PACKAGES=1 leaves the packages to you (another distribution).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
sums="$root/setup/sums.txt"
native="$root/.native"
cache="${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/gleaner"

packages_run=(g++ pkg-config libopencv-dev libdnnl-dev dataset-fashion-mnist ca-certificates mosquitto-clients)
packages_test=(mosquitto ffmpeg gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good systemd)
packages_prove=(mmdebstrap chromium)

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$@" >&2; exit 1; }

machine() {
	case "$(uname -m)" in
	x86_64 | amd64) echo amd64 ;;
	aarch64 | arm64) echo arm64 ;;
	*) fail "no TensorFlow Lite library is known for $(uname -m): amd64 and arm64 are" ;;
	esac
}

# check_go names the version that go.mod asks for, so that nobody has to read a compiler's message for it.
check_go() {
	local want have
	want="$(awk '$1 == "go" {print $2}' "$root/go.mod")"
	command -v go >/dev/null || fail "go is not in PATH: install Go $want or newer, then run this again"
	have="$(go env GOVERSION)" && have="${have#go}"
	[ "$(printf '%s\n%s\n' "$want" "${have%%[!0-9.]*}" | sort -V | head -n 1)" = "$want" ] ||
		fail "go $have is in PATH, and this needs Go $want or newer"
}

# install_packages installs those of its arguments that are not installed, and asks apt nothing when all are.
install_packages() {
	local p missing=()
	[ -z "${GLEANER_SKIP_PACKAGES:-}" ] || return 0
	command -v dpkg-query >/dev/null || fail "this is not Debian: install what these Debian packages hold: $*" \
		"then run this again with GLEANER_SKIP_PACKAGES=1"
	for p in "$@"; do
		installed "$p" || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	local sudo=() log
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || fail "these Debian packages are missing: ${missing[*]}" \
			"and you are not root and have no sudo; as root, run: apt-get install --no-install-recommends ${missing[*]}"
		sudo=(sudo)
	fi
	say "installing ${missing[*]}"
	log="$(mktemp)"
	local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0)
	if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
		tail -n 25 "$log" >&2
		fail "apt-get could not install: ${missing[*]}" "the end of its output is above, all of it is in $log"
	fi
	rm -f "$log"
	# Debian starts a broker's service when it is installed; the tests want the program, and the port left alone.
	if [ -d /run/systemd/system ] && [[ " ${missing[*]} " == *" mosquitto "* ]]; then
		"${sudo[@]}" systemctl disable --now --quiet mosquitto || true
	fi
}

statuses=
installed() {
	[ -n "$statuses" ] || statuses="$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null)"
	grep -qx "installed $1" <<<"$statuses"
}

# mismatch says both sums of a file and what to do, and ends.
mismatch() { # what wanted got advice
	fail "$1 is not what is pinned in setup/sums.txt" "  wanted $2" "  got    $3" "  $4" "nothing was installed"
}

tarball_path() { # package@version → where its tarball is cached
	local name="${1#@}"
	printf '%s/%s.tgz' "$cache" "${name//[\/@]/-}"
}

# cached tells whether every tarball is in the cache.
cached() {
	local kind pack rest
	while read -r kind pack rest; do
		[ "$kind" != tarball ] || [ -s "$(tarball_path "$pack")" ] || return 1
	done <"$sums"
}

integrity() { # file → sha512-…, as a registry states it
	printf 'sha512-%s' "$(sha512sum "$1" | cut -d ' ' -f 1 | tr a-f A-F | basenc --base16 -d | base64 -w 0)"
}

# fetch puts a package's tarball into the cache, unless it is there, and demands its sum either way.
fetch() { # package@version integrity
	local pack="$1" want="$2" path tmp got
	path="$(tarball_path "$pack")"
	if [ ! -s "$path" ]; then
		command -v npm >/dev/null || fail "npm is needed once, to fetch $pack: install it, or put the tarball at $path"
		mkdir -p "$cache"
		tmp="$(mktemp -d "$cache/.fetch.XXXXXX")"
		say "fetching $pack"
		if ! (cd "$tmp" && npm pack --loglevel=error "$pack" >npm.out 2>&1 </dev/null); then
			tail -n 15 "$tmp/npm.out" >&2
			rm -rf "$tmp"
			fail "npm could not fetch $pack (its words are above)" \
				"check the network and npm's registry setting, or put the tarball at $path"
		fi
		got="$(integrity "$tmp"/*.tgz)"
		if [ "$got" != "$want" ]; then
			rm -rf "$tmp"
			mismatch "the tarball of $pack, as your npm registry gave it," "$want" "$got" \
				"do not use that registry's copy: try the public registry, and tell its keepers"
		fi
		mv "$tmp"/*.tgz "$path"
		rm -rf "$tmp"
	fi
	got="$(integrity "$path")"
	[ "$got" = "$want" ] || mismatch "the cached tarball $path" "$want" "$got" "delete that file and run this again"
}

sum() { sha256sum "$1" | cut -d ' ' -f 1; }

# wanted prints "SHA256  PATH" for each file that this machine should have, in sha256sum's own form.
wanted() {
	awk -v arch="$1" '$1 == "file" && ($2 == arch || $2 == "all") {print $4 "  " $3}' "$sums"
}

# complete tells whether every wanted file is there with its sum; all of them are 15 MB, so there is no stamp to go stale.
complete() {
	[ -f "$native/env.sh" ] && cmp -s "$root/setup/env.sh" "$native/env.sh" &&
		(cd "$native" && wanted "$1" | sha256sum --check --status 2>/dev/null)
}

# extract writes one file of a tarball below a folder and demands its sum.
extract() { # folder path sha256 package member from to
	local to="$1/$2" got
	mkdir -p "$(dirname "$to")"
	if [ -n "${7:-}" ]; then
		# head and tail take what they need and leave; tar's complaint about that is no error.
		(set +o pipefail; tar --occurrence=1 -xzOf "$(tarball_path "$4")" "$5" 2>/dev/null | head -c "$7" | tail -c "+$(($6 + 1))" >"$to")
	else
		tar --occurrence=1 -xzOf "$(tarball_path "$4")" "$5" >"$to" || fail "$(tarball_path "$4") has no $5"
	fi
	got="$(sum "$to")"
	[ "$got" = "$3" ] || mismatch "$2, out of $(tarball_path "$4")," "$3" "$got" "delete that tarball and run this again"
	chmod 0644 "$to"
}

staging=
install_native() { # arch
	local kind arch path want pack member from to
	exec 9<"$sums"
	flock 9
	! complete "$1" || return 0
	while read -r kind pack want; do
		[ "$kind" != tarball ] || fetch "$pack" "$want"
	done <"$sums"
	mkdir -p "$native"
	staging="$(mktemp -d "$native/.new.XXXXXX")"
	trap 'rm -rf "$staging"' EXIT
	while read -r kind arch path want pack member from to; do
		if [ "$kind" = file ] && { [ "$arch" = "$1" ] || [ "$arch" = all ]; }; then
			extract "$staging" "$path" "$want" "$pack" "$member" "$from" "$to"
		fi
	done <"$sums"
	cp "$root/setup/env.sh" "$staging/env.sh"
	# All sums hold: rename file by file, so that a build that runs meanwhile sees the old file or the new one.
	(cd "$staging" && find . -type f) | while read -r path; do
		mkdir -p "$(dirname "$native/$path")"
		cmp -s "$staging/$path" "$native/$path" || mv "$staging/$path" "$native/$path"
	done
	complete "$1" || fail "$native does not hold what was just put there: is its disk full, or is something else writing to it?"
	say "the runtime and the models are in ${native#"$root"/}"
}

packages=("${packages_run[@]}")
case "${1:-}" in
"") ;;
test) packages+=("${packages_test[@]}") ;;
prove) packages+=("${packages_test[@]}" "${packages_prove[@]}") ;;
*) fail "what is \"$1\"? setup/setup.sh takes nothing, test or prove" ;;
esac
arch="$(machine)"
check_go
lacking=
complete "$arch" || lacking=1
# npm brings some hundred packages along, so it is installed only where it is needed: for a download, and not there.
[ -z "$lacking" ] || command -v npm >/dev/null || cached || packages+=(npm)
install_packages "${packages[@]}"
[ -z "$lacking" ] || install_native "$arch"
