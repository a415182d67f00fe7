#!/bin/bash
# Runs the cgroup tests on a kernel with cgroup v2 only, in the lab's VM: as root, as a user with a delegated group, and
# as a user without one. Prints what it left out when there is no lab beside the checkout.
#
#   tests/lab/cgroup_v2.sh [LIVE_TEST LIVE_BUNDLE_TEST]     the built programs of //linux_runtime/cgroup
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lab=$repo/../shared/lab/lab.sh
if [[ ! -x $lab ]]; then
  echo "left out: no lab at $lab, so cgroup v2 was not tried" >&2
  exit 0
fi

programs=("$@")
if [[ ${#programs[@]} -eq 0 ]]; then
  cd "$repo"
  bazel build //linux_runtime/cgroup:live_test //linux_runtime/cgroup:live_bundle_test
  bin=$(bazel info bazel-bin)/linux_runtime/cgroup
  programs=("$bin/live_test" "$bin/live_bundle_test")
fi

# The VM sees this machine's root without /tmp, so the program goes where it is shared.
share=$(mktemp -d /var/tmp/mxc-lab-XXXXXX)
trap 'rm -rf "$share"' EXIT
chmod 755 "$share"
cp "${programs[0]}" "$share/live_test"
cp "${programs[1]}" "$share/live_bundle_test"
cat >"$share/undelegated" <<'U'
#!/bin/sh
# A login outside user@.service, as by plain ssh: the group belongs to root.
mkdir -p /sys/fs/cgroup/session.scope
echo $$ >/sys/fs/cgroup/session.scope/cgroup.procs
exec setpriv --reuid=1000 --regid=1000 --clear-groups "$@"
U
chmod 755 "$share"/*

"$lab" setup
failed=0
run() {  # NAME lab-options… -- COMMAND…
  echo "== cgroup v2, $1"
  "$lab" run -s "$share" -t 300 "${@:2}" || { echo "failed: $1" >&2; failed=1; }
}
for test in ./live_test ./live_bundle_test; do
  run "$test, root" -- "$test"
  run "$test, a user with a delegated group" -u -- "$test"
  run "$test, a user without one" -- ./undelegated "$test"
done
# The oldest kernel that the runtime is meant for has no memory.peak and another BPF verifier.
LAB_KERNEL=6.1 "$lab" setup
LAB_KERNEL=6.1 run "./live_bundle_test, root, Linux 6.1" -- ./live_bundle_test
exit $failed
