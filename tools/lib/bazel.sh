# shellcheck shell=bash
# Runs Bazel with the caches and the flags that all tools share. Sourced after common.sh.
#
# MXC_OUTPUT_BASE=DIR gives Bazel another output base (two builds beside each other).

# Bazel does not look at the compiler and the C library: a change of theirs must not find old objects in the cache.
_system_key() {
  dpkg-query -W -f '${Package} ${Version}\n' g++ 'g++-1*' binutils libc6-dev libseccomp-dev libcap-dev libsodium-dev \
    libyaml-cpp-dev g++-mingw-w64-x86-64-posix 2>/dev/null | sort | sha256sum | cut -c1-16
}

MXC_CACHE=$(cache_dir)

# A bazel without this project's .bazelrc leaves links into its output folder, and `//...` would walk into them.
for link in bazel-*; do
  if [[ -L $link && $(readlink "$link") == */execroot/* ]]; then rm -f "$link"; fi
done
MXC_SYSTEM_KEY=''

# run_bazel COMMAND ARGUMENT...
run_bazel() {
  local command=$1 startup=() flags=()
  shift
  [ -z "${MXC_OUTPUT_BASE:-}" ] || startup=(--output_base="$MXC_OUTPUT_BASE")
  # Bazel's client wants both to find its folders.
  export HOME=${HOME:-$(dirname "$MXC_CACHE")} USER=${USER:-$(id -un 2>/dev/null || id -u)}
  case $command in
    build | test | run | info | cquery | aquery)
      : "${MXC_SYSTEM_KEY:=$(_system_key)}"
      flags=(--disk_cache="$MXC_CACHE/disk" --action_env=MXC_SYSTEM="$MXC_SYSTEM_KEY" --jobs="$(nproc)")
      ;;
  esac
  bazel "${startup[@]}" "$command" "${flags[@]}" "$@"
}

# Bazel's output in a file while one line on stderr says what goes on. Prints the end of the file when it fails.
# quiet_bazel WHAT COMMAND ARGUMENT...
quiet_bazel() {
  local what=$1 log=$MXC_TOP/out/build.log began=$SECONDS
  shift
  mkdir -p "$MXC_TOP/out"
  [ ! -t 2 ] || printf '%s: %s …' "${0##*/}" "$what" >&2
  if run_bazel "$1" --color=no --curses=no "${@:2}" >"$log" 2>&1; then
    if [ -t 2 ]; then printf ' %d s\n' "$((SECONDS - began))" >&2; fi
    return 0
  fi
  [ ! -t 2 ] || printf ' failed\n' >&2
  grep -vE '^(Loading|Analyzing|\[[0-9,]+ / )' "$log" | tail -n 30 >&2
  note "$what failed; whole log: $log"
  return 1
}

# The folder of finished targets for these flags.
bazel_bin() { run_bazel info bazel-bin "$@" 2>/dev/null; }

# The disk cache only grows: drops what no build has read for two weeks.
prune_disk_cache() { find "$MXC_CACHE/disk" -type f -atime +14 -delete 2>/dev/null || true; }
