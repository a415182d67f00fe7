#!/bin/sh
# In a mount namespace of its own, so that nothing that a container mounts can stay behind.
exec unshare -m --propagation private /usr/bin/python3 -B "$(dirname "$0")/own_program_test.py" "$@"
