#!/bin/bash
# Runs mxcd, sessions and the relay in the lab's VM: cgroup v2, WSL's stand-ins, and a vsock that leads back to the machine itself,
# which takes the host's place. Prints what it left out when there is no lab beside the checkout.
#
#   tests/lab/mxcd.sh [--short] [MXC MXCD MXC_RELAY]     the built programs; --short: the relay and vsock alone, half a minute
#
# Exit status 77: the lab's VM can't be had here.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lab=${MXC_SHARED:-$repo/../shared}/lab/lab.sh
if [[ ! -x $lab ]]; then
  echo "SKIP: no lab at $lab, so mxcd was not tried on vsock and cgroup v2"
  exit 0
fi

short=''
if [[ ${1:-} == --short ]]; then short=1; shift; fi
programs=("$@")
if [[ ${#programs[@]} -eq 0 ]]; then
  cd "$repo"
  # shellcheck source=tools/lib/common.sh
  . tools/lib/common.sh
  . tools/lib/bazel.sh
  run_bazel build //linux_runtime/cli:mxc //linux_runtime/daemon:mxcd //linux_runtime/relay:mxc-relay
  bin=$(run_bazel info bazel-bin)/linux_runtime
  programs=("$bin/cli/mxc" "$bin/daemon/mxcd" "$bin/relay/mxc-relay")
fi

# The VM sees this machine's root without /tmp, so what is needed goes where it is shared.
share=$(mktemp -d /var/tmp/mxc-lab-XXXXXX)
trap 'rm -rf "$share"' EXIT
chmod 755 "$share"
cp "${programs[@]}" "$share/"
cp "$repo"/tests/integration/*.py "$share/"
# The VM's / takes no idmapped mounts, which grants of root need; a tmpfs does.
cat >"$share/on_tmpfs" <<'END'
#!/bin/sh
modprobe vsock_loopback
mount -t tmpfs -o mode=755 tmpfs /srv && MXC_TEST_FOLDER=/srv MXC_TEST_CHANNEL=vsock exec "$@"
END
chmod 755 "$share/on_tmpfs"
chmod -R a+rX "$share"

"$lab" setup || exit 77
failed=0
run() {  # NAME SECONDS lab-options… -- COMMAND…
  echo "== $1"
  "$lab" run -s "$share" -t "$2" "${@:3}" ./mxc ./mxcd ./mxc-relay || { echo "FAIL: $1 in the lab (exit status $?)" >&2; failed=1; }
}
run "the relay, pipes and vsock, beside WSL's stand-ins" 1200 -w -- ./on_tmpfs python3 -B ./relay_test.py
[[ -z $short ]] || exit $failed
run "sessions on cgroup v2" 1800 -- ./on_tmpfs python3 -B ./session_test.py
run "a user's own mxcd, with a delegated cgroup" 1800 -u -- python3 -B ./session_test.py
run "runs through mxcd" 1800 -w -- ./on_tmpfs python3 -B ./daemon_test.py
exit $failed
