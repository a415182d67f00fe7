# shellcheck shell=bash
# Installs Debian and Ubuntu packages that a tool needs. Sourced after common.sh.
#
# A name `a|b` means: whichever of them this release has, the first one first.

declare -A MXC_PACKAGES=(
  [build]="bazel-bootstrap default-jdk-headless g++ binutils libc6-dev git python3
    nlohmann-json3-dev doctest-dev libcli11-dev libfmt-dev libspdlog-dev libyaml-cpp-dev libseccomp-dev libcap-dev
    libsodium-dev"
  [mingw]="g++-mingw-w64-x86-64-posix dpkg-dev"
  [wine]="wine64"
  [test]="python3-numpy python3-jsonschema python3-yaml uidmap util-linux procps iproute2 nftables ninja-build ccache strace
    busybox-static bubblewrap python3-pip curl wget openssl openssh-client passt|iproute2"
  [engines]="podman buildah conmon catatonit uidmap containerd containernetworking-plugins python3-grpcio iproute2"
  [bench]="bubblewrap crun runc python3-numpy"
  [lint]="clang-format-14 clang-tidy-14 shellcheck"
  [fuzz]="clang-14 libclang-rt-14-dev|libclang-common-14-dev"
)

# Of the package expressions given, prints those that are not installed. One dpkg-query, about 15 ms.
missing_packages() {
  local expression name wanted installed
  wanted=$(printf '%s\n' "$@" | tr '|' '\n')
  # shellcheck disable=SC2086 # names are words
  installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package}\n' $wanted 2>/dev/null |
    sed -n 's/^installed://p' | tr '\n' ' ') " || true
  for expression in "$@"; do
    for name in ${expression//|/ }; do
      [[ $installed == *" $name "* ]] && continue 2
    done
    printf '%s\n' "$expression"
  done
}

# Chooses from `a|b` the first that apt knows, else the first.
_choose_package() {
  local name
  for name in ${1//|/ }; do
    if apt-cache show --no-all-versions "$name" >/dev/null 2>&1; then
      printf '%s\n' "$name"
      return
    fi
  done
  printf '%s\n' "${1%%|*}"
}

_apt_get() {
  # env, not a prefix assignment: sudo drops the environment. The lock may be held by another installation for a while.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
    -o APT::Install-Recommends=false -o Dpkg::Use-Pty=0 "$@" </dev/null
}

# install_packages [--optional] GROUP...
# Silent when nothing is missing. Otherwise installs, after one `apt-get update` if that is what it takes, or ends the tool with
# a message that names the packages. With --optional it returns 1 instead of ending the tool.
install_packages() {
  local optional='' group missing=() chosen=() name log status=0
  if [ "$1" = --optional ]; then
    optional=1
    shift
  fi
  local wanted=()
  for group in "$@"; do
    # shellcheck disable=SC2206 # names are words
    wanted+=(${MXC_PACKAGES[$group]})
  done
  if ! have dpkg-query; then
    note "packages are installed on Debian and Ubuntu only; on this system provide by hand what these hold: ${wanted[*]}"
    return 0
  fi
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  [ "${#missing[@]}" -gt 0 ] || return 0

  if [ "$(id -u)" != 0 ] && ! as_root true 2>/dev/null; then
    [ -z "$optional" ] || return 1
    die "these packages are missing, and this user may not install them (not root, no sudo). As root run:
  apt-get update && apt-get install --no-install-recommends ${missing[*]%%|*}"
  fi
  note "installing ${#missing[@]} packages, once: ${missing[*]%%|*}"
  log=$(mktemp "${TMPDIR:-/tmp}/mxc-apt.XXXXXX")
  for name in "${missing[@]}"; do chosen+=("$(_choose_package "$name")"); done
  if ! _apt_get install -y "${chosen[@]}" >"$log" 2>&1; then
    # No package lists yet, or lists older than the archive.
    { _apt_get update && chosen=() && for name in "${missing[@]}"; do chosen+=("$(_choose_package "$name")"); done &&
      _apt_get install -y "${chosen[@]}"; } >"$log" 2>&1 || status=$?
  fi
  if [ "$status" != 0 ]; then
    grep -E '^(E|dpkg: error)' "$log" | sort -u | head -4 >&2 || true
    if [ -n "$optional" ]; then
      note "apt-get could not install ${chosen[*]} (whole log: $log)"
      return 1
    fi
    die "apt-get could not install what is missing (whole log: $log). Look at the lines above: without a network, install
these from a mirror and start again: ${chosen[*]}"
  fi
  rm -f "$log"
}
