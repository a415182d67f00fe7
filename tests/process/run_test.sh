#!/bin/sh
# Usage: run_test.sh TEST.PY PROGRAM…. Mounts and network devices of the test stay in namespaces of its own.
here=$(dirname "$0")
if [ "$(id -u)" != 0 ]; then
  echo "SKIP: tests of a bundle's process: they need root, to make containers without and with a user namespace"
  exit 0
fi
test=$1
shift
exec unshare --mount --net --propagation private python3 "$here/$test" "$@"
