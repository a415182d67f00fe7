#!/bin/bash
# Runs a part of the integration tests in the lab's VM: a kernel with cgroup v2 only and stand-ins for WSL's doors, as root and as
# a user with a delegated cgroup. Prints what it left out when there is no lab beside the checkout.
#
#   tests/lab/run.sh [MXC]     MXC: the built program of //linux_runtime/cli:mxc
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lab=${MXC_SHARED:-$repo/../shared}/lab/lab.sh
if [[ ! -x $lab ]]; then
  echo "SKIP: no lab at $lab, so mxc was not tried on cgroup v2 and with WSL's doors"
  exit 0
fi

mxc=${1:-}
if [[ -z $mxc ]]; then
  cd "$repo"
  bazel build //linux_runtime/cli:mxc
  mxc=$(bazel info bazel-bin)/linux_runtime/cli/mxc
fi

# The VM sees this machine's root without /tmp, so what is needed goes where it is shared.
share=$(mktemp -d /var/tmp/mxc-lab-XXXXXX)
trap 'rm -rf "$share"' EXIT
chmod 755 "$share"
cp "$mxc" "$share/mxc"
cp "$repo"/tests/integration/*.py "$share/"
chmod -R a+rX "$share"

"$lab" setup
failed=0
run() {  # NAME SECONDS lab-options… -- COMMAND…
  echo "== $1"
  "$lab" run -s "$share" -t "$2" "${@:3}" || { echo "FAIL: $1 in the lab (exit status $?)" >&2; failed=1; }
}

# The VM's / takes no idmapped mounts, which grants of root need; a tmpfs does.
cat >"$share/on_tmpfs" <<'END'
#!/bin/sh
mount -t tmpfs -o mode=755 tmpfs /srv && MXC_TEST_FOLDER=/srv exec "$@"
END
chmod 755 "$share/on_tmpfs"

# Processes start about 40 times slower there: cases without a clock in them.
filesystem='mixed_policy|single_files|symlinked|one_object|bind_mount|links_of|submounts|made_inside|replaced_outside|seal'
limits='processes|memory|out_of_memory|open_files|processors|every_sandbox'
run "WSL's doors, root" 600 -w -- ./on_tmpfs python3 -B wsl_test.py ./mxc
run "WSL's doors, a user with a delegated group" 600 -u -w -- python3 -B wsl_test.py ./mxc
run "files, root and an ordinary user without a group" 900 -- ./on_tmpfs python3 -B filesystem_test.py ./mxc "$filesystem"
run "limits on cgroup v2, root" 600 -- ./on_tmpfs python3 -B limits_test.py ./mxc "($limits).*\(root\)"
run "limits on cgroup v2, a user with a delegated group" 600 -u -- python3 -B limits_test.py ./mxc "$limits"
run "kill -9 on cgroup v2" 900 -- ./on_tmpfs env MXC_KILL_MOMENTS=10 python3 -B kill_test.py ./mxc 'random_moments'
exit $failed
