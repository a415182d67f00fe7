#!/bin/sh
# Bazel's binary `bench`: bench.py with the programs that were built beside it.
here=$(cd "$(dirname "$0")" && pwd)
exec /usr/bin/python3 "$here/bench.runfiles/mxc/tests/bench/bench.py" --programs "$here" "$@"
