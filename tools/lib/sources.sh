# shellcheck shell=bash
# Fetches the source packages of third_party/sources.lock, which only the Windows build compiles. Sourced after packages.sh.

MXC_SOURCES=/usr/src/mxc

# Prints the lines of the lock file: name version licence tarball sha256.
locked_sources() { grep -v '^#' "$MXC_TOP/third_party/sources.lock"; }

# True when every locked source is unpacked at its locked checksum.
sources_ready() {
  local name sha
  while read -r name _ _ _ sha; do
    [ "$(cat "$MXC_SOURCES/$name/.sha256" 2>/dev/null)" = "$sha" ] || return 1
  done < <(locked_sources)
}

# Prints one deb-src line. The machine's own mirror is taken where it is Debian's, and its signature checked where Debian's key
# is installed; on Ubuntu neither is so, and the checksum in the lock file alone decides.
_deb_src_line() {
  local mirror key=/usr/share/keyrings/debian-archive-keyring.gpg options='[trusted=yes]'
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ') || true
  [ -e "$key" ] && options="[signed-by=$key]"
  printf 'deb-src %s %s bookworm main\n' "$options" "${mirror:-http://deb.debian.org/debian}"
}

# Downloads by a private apt configuration: the machine's own lists and sources stay as they are.
_download_sources() {
  local dir=$1 name packages=()
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  _deb_src_line >"$dir/sources.list"
  local apt=(apt-get -q -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3)
  while read -r name _; do packages+=("$name"); done < <(locked_sources)
  "${apt[@]}" update && (cd "$dir" && "${apt[@]}" source --download-only "${packages[@]}")
}

# Unpacks DIR/TARBALL as $MXC_SOURCES/NAME, which appears at once and whole: an interrupted run starts anew.
_unpack_source() {
  local dir=$1 name=$2 tarball=$3 sha=$4 new=$1/new-$2
  if [ ! -f "$dir/$tarball" ]; then
    note "Debian's archive did not give $tarball, which third_party/sources.lock names"
    return 1
  fi
  if ! printf '%s  %s\n' "$sha" "$dir/$tarball" | sha256sum --check --status; then
    note "$tarball has the checksum $(sha256sum <"$dir/$tarball" | cut -d' ' -f1), third_party/sources.lock wants $sha: not used"
    return 1
  fi
  mkdir "$new"
  tar -xf "$dir/$tarball" -C "$new" --strip-components=1 --no-same-owner
  # libsodium's configure would make this header; the copy for MSVC is the same for every platform.
  [ ! -f "$new/builds/msvc/version.h" ] || cp "$new/builds/msvc/version.h" "$new/src/libsodium/include/sodium/version.h"
  printf '%s\n' "$sha" >"$new/.sha256"
  as_root mkdir -p "$MXC_SOURCES" && as_root rm -rf "$MXC_SOURCES/$name" "$MXC_SOURCES/.new-$name" &&
    as_root cp -r "$new" "$MXC_SOURCES/.new-$name" && as_root mv "$MXC_SOURCES/.new-$name" "$MXC_SOURCES/$name"
}

# Makes the locked sources available; returns 1 with a message when it can't.
fetch_sources() {
  sources_ready && return 0
  local dir status=0 name tarball sha
  dir=$(mktemp -d "${TMPDIR:-/tmp}/mxc-sources.XXXXXX")
  note "fetching the sources of yaml-cpp and libsodium for the Windows build, once"
  if ! _download_sources "$dir" >"$dir/log" 2>&1; then
    grep -E '^(E|W|Err)' "$dir/log" | sort -u | head -5 >&2 || true
    note "apt-get could not download them"
    status=1
  else
    while read -r name _ _ tarball sha; do
      _unpack_source "$dir" "$name" "$tarball" "$sha" || status=1
    done < <(locked_sources)
  fi
  rm -rf "$dir"
  return "$status"
}
