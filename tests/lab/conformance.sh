#!/bin/bash
# Runs a part of the conformance tests in the lab's VM: a kernel with cgroup v2 only, as root and rootless. Prints what it left out
# when there is no lab beside the checkout.
#
#   tests/lab/conformance.sh [RUNTIME [PROBE]]     the built //linux_runtime/runtime:mxc-runtime and //tests/conformance:probe
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lab=${MXC_SHARED:-$repo/../shared}/lab/lab.sh
if [[ ! -x $lab ]]; then
  echo "SKIP: no lab at $lab, so mxc-runtime was not tried on cgroup v2"
  exit 0
fi

runtime=${1:-} probe=${2:-}
if [[ -z $probe ]]; then
  cd "$repo"
  bazel build //linux_runtime/runtime:mxc-runtime //tests/conformance:probe
  runtime=${runtime:-$(bazel info bazel-bin)/linux_runtime/runtime/mxc-runtime}
  probe=$(bazel info bazel-bin)/tests/conformance/probe
fi

# The VM sees this machine's root without /tmp, so what is needed goes where it is shared.
share=$(mktemp -d /var/tmp/mxc-lab-XXXXXX)
trap 'rm -rf "$share"' EXIT
chmod 755 "$share"
mkdir "$share/conformance"
cp "$runtime" "$share/$(basename "$runtime")"
cp "$probe" "$share/probe"
cp "$repo"/tests/conformance/*.py "$share/conformance/"
chmod -R a+rX "$share"

"$lab" setup
failed=0
# A root that takes idmapped mounts is a tmpfs there; the cases' groups are made below one that is not the root's own.
cat >"$share/on_tmpfs" <<'END'
#!/bin/sh
mount -t tmpfs -o mode=755 tmpfs /srv && mkdir -p /sys/fs/cgroup/conformance && echo $$ >/sys/fs/cgroup/conformance/cgroup.procs &&
  MXC_TEST_FOLDER=/srv MXC_CASE_SECONDS=240 exec "$@"
END
chmod 755 "$share/on_tmpfs"

run() {  # PROGRAM SECONDS [PATTERN]
  echo "== cgroup v2, $1"
  "$lab" run -s "$share" -t "$2" -- ./on_tmpfs python3 -B "conformance/$1.py" "./$(basename "$runtime")" ./probe "${3:-}" ||
    { echo "FAIL: $1 in the lab (exit status $?)" >&2; failed=1; }
}

run resources 1800
run cli_control 900 'pause|kill|update|events.stats'
run devices 900 'allowed_device_list'
run lifecycle 900
run lifecycle_crash 1800
run namespaces 900
run mount_options 900 propagation
run process 900 rlimits
exit $failed
