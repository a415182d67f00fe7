#!/bin/sh
# Runs the whole suite, or the cases whose names match, against any runtime.
#
#   tests/conformance/run.sh RUNTIME [PATTERN]      e.g. /usr/bin/runc, out/bin/mxc-runtime
#
# The probe is compiled with cc into a temporary folder. Prints the failures and skips, and one line of sums.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
runtime=$1
pattern=${2:-}
folder=$(mktemp -d /var/tmp/mxc-conformance-run-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cc -O1 -static -std=gnu17 -D_GNU_SOURCE -o "$folder/probe" "$here/probe.c"
for program in "$here"/*.py; do
  grep -q '^    main()$' "$program" || continue
  /usr/bin/python3 -B "$program" "$runtime" "$folder/probe" "$pattern" || true
done | tee "$folder/all" | grep -E '^(FAIL|SKIP)' || true
for word in PASS FAIL SKIP; do printf '%s %s\n' "$word" "$(grep -c "^$word: " "$folder/all" || true)"; done
! grep -q '^FAIL: ' "$folder/all"
