#!/bin/sh
# Usage: process_test.sh TEST.PY PROGRAM…. The mounts of the test stay in a mount namespace of its own.
here=$(dirname "$0")
if [ "$(id -u)" != 0 ]; then
  echo "SKIP: tests of a bundle's process: they need root, to make containers without and with a user namespace"
  exit 0
fi
test=$1
shift
exec unshare --mount --propagation private python3 "$here/$test" "$@"
