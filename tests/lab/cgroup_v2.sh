#!/bin/bash
# Runs the cgroup tests on a kernel with cgroup v2 only, in the lab's VM: as root, as a user with a delegated group, and
# as a user without one. Prints what it left out when there is no lab beside the checkout.
#
#   tests/lab/cgroup_v2.sh [LIVE_TEST]     LIVE_TEST: the built program of //linux_runtime/cgroup:live_test
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lab=$repo/../shared/lab/lab.sh
if [[ ! -x $lab ]]; then
  echo "left out: no lab at $lab, so cgroup v2 was not tried" >&2
  exit 0
fi

program=${1:-}
if [[ -z $program ]]; then
  cd "$repo"
  bazel build //linux_runtime/cgroup:live_test
  program=$(bazel info bazel-bin)/linux_runtime/cgroup/live_test
fi

# The VM sees this machine's root without /tmp, so the program goes where it is shared.
share=$(mktemp -d /var/tmp/mxc-lab-XXXXXX)
trap 'rm -rf "$share"' EXIT
chmod 755 "$share"
cp "$program" "$share/live_test"
cat >"$share/undelegated" <<'U'
#!/bin/sh
# A login outside user@.service, as by plain ssh: the group belongs to root.
mkdir -p /sys/fs/cgroup/session.scope
echo $$ >/sys/fs/cgroup/session.scope/cgroup.procs
exec setpriv --reuid=1000 --regid=1000 --clear-groups ./live_test
U
chmod 755 "$share"/*

"$lab" setup
failed=0
run() {  # NAME lab-options… -- COMMAND…
  echo "== cgroup v2, $1"
  "$lab" run -s "$share" -t 240 "${@:2}" || { echo "failed: $1" >&2; failed=1; }
}
run root -- ./live_test
run "a user with a delegated group" -u -- ./live_test
run "a user without one" -- ./undelegated
exit $failed
