# shellcheck shell=bash
# What every tool needs: messages, the project's folder, privileges. Sourced, not run; needs bash 5.
#
# Messages go to stderr, so that a tool's stdout holds only what it was asked for.

set -euo pipefail
umask 022
# Bazel and apt catch Ctrl-C and end in their own time; the tool ends with them instead of going on to its next step.
trap 'exit 130' INT
trap 'exit 143' TERM

# shellcheck disable=SC2034 # for the tools
MXC_CALLER=$PWD
MXC_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck disable=SC2034
MXC_SHARED="$MXC_TOP/../shared"
cd "$MXC_TOP"

note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die MESSAGE [STATUS]
die() {
  note "$1"
  exit "${2:-1}"
}

have() { command -v "$1" >/dev/null 2>&1; }

# Prints the comment block at the top of the tool: its usage.
usage() { sed -n '2,/^$/{s/^# \{0,1\}//p}' "$MXC_TOP/tools/${0##*/}"; }

# Runs its arguments as root: directly, or by sudo. Returns 77 when neither is possible.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo -- "$@"
  else
    return 77
  fi
}

# The folder for caches that outlive a clone. HOME may be unset or not ours to write (CI, containers).
cache_dir() {
  local base=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}
  if ! mkdir -p "$base/mxc-bazel" 2>/dev/null || [ ! -w "$base/mxc-bazel" ]; then
    base=/var/tmp/mxc-$(id -u)
    (umask 077 && mkdir -p "$base/mxc-bazel")
    [ -O "$base" ] || die "$base belongs to someone else: set XDG_CACHE_HOME to a folder of yours"
  fi
  printf '%s\n' "$base/mxc-bazel"
}
