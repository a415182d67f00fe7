# shellcheck shell=bash
# The finished programs: what tools/build leaves in out/ and tools/install puts in place. The one list of them.

# target | file in out/ | place under the installation's prefix | its platform
MXC_PROGRAMS='
//linux_runtime/cli:mxc                 bin/mxc            bin/mxc                linux
//linux_runtime/runtime:mxc-runtime     bin/mxc-runtime    bin/mxc-runtime        linux
//linux_runtime/daemon:mxcd             bin/mxcd           bin/mxcd               linux
//linux_runtime/relay:mxc-relay         bin/mxc-relay      libexec/mxc/mxc-relay  linux
//linux_runtime/compat:lxc-exec         bin/lxc-exec       bin/lxc-exec           linux
//linux_runtime/compat:lxc-exec         sdk/x64/lxc-exec   libexec/mxc/x64/lxc-exec linux
//linux_runtime/compat:libmxc_ffi.so    lib/libmxc_ffi.so  lib/libmxc_ffi.so      linux
//windows_host:mxc                      windows/mxc.exe    -                      windows
'

# What is installed as it lies in the tree: file | place
# shellcheck disable=SC2034 # read by tools/install
MXC_FILES='
include/mxc.h                        include/mxc.h
linux_runtime/compat/python/mxc.py   lib/mxc/mxc.py
linux_runtime/daemon/systemd/mxcd.service   lib/systemd/system/mxcd.service
linux_runtime/daemon/systemd/mxcd.socket    lib/systemd/system/mxcd.socket
'

# Prints the lines for one platform whose target exists in this tree.
programs_of() {
  local platform=$1 target file place on package
  while read -r target file place on; do
    package=${target%:*}
    [ "$on" = "$platform" ] && grep -qsF "name = \"${target##*:}\"" "$MXC_TOP/${package#//}/BUILD" &&
      printf '%s %s %s\n' "$target" "$file" "$place"
  done <<<"$MXC_PROGRAMS"
  return 0
}

# Builds the programs of one platform and copies them to out/.
# build_programs PLATFORM RUNNER... — RUNNER is `run_bazel` or `quiet_bazel WHAT`; the targets follow as arguments.
build_programs() {
  local platform=$1 flags=() targets=() target file bin
  shift
  [ "$platform" = linux ] || flags=(--config="$platform")
  mapfile -t targets < <(programs_of "$platform" | cut -d' ' -f1)
  if [ "${#targets[@]}" = 0 ]; then
    note "no program for $platform in this tree yet"
    return 0
  fi
  "$@" build "${flags[@]}" "${targets[@]}" || return 1
  bin=$(bazel_bin "${flags[@]}")
  while read -r target file _; do
    local built=${target#//}
    built=$bin/${built/:/\/}
    case $file in *.exe) built=$built.exe ;; esac
    # A new file each time: the old one may be running.
    install -D -m "$([[ $file == lib/* ]] && echo 644 || echo 755)" "$built" "$MXC_TOP/out/$file.new" &&
      mv "$MXC_TOP/out/$file.new" "$MXC_TOP/out/$file" || return 1
  done < <(programs_of "$platform")
}
