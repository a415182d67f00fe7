#!/bin/sh
# Usage: escape_test.sh MXC MXC_WEAKENED TRY_DOOR. The mounts of the test stay in a mount namespace of its own.
here=$(dirname "$0")
if [ "$(id -u)" != 0 ]; then
  echo "SKIP: escape tests: they need root, to start sandboxes as root and as uid 65534"
  exit 0
fi
exec unshare --mount --propagation private python3 "$here/escape_test.py" "$@"
