#!/usr/bin/env bash
# tools/test_summary: what each kind of event file comes to. Run by Bazel.
set -u
summary=$PWD/tools/test_summary
cd "$TEST_TMPDIR" || exit 1
failures=0

# expect CASE STATUS LAST-LINE ARGUMENT...
expect() {
  local name=$1 status=$2 line=$3 got code
  shift 3
  got=$(python3 "$summary" "$@" 2>&1)
  code=$?
  if [ "$code" = "$status" ] && [ "$(tail -n 1 <<<"$got")" = "$line" ]; then
    echo "PASS: $name"
  else
    echo "FAIL: $name: status $code instead of $status, or not '$line':"
    echo "    ${got//$'\n'/$'\n'    }"
    failures=1
  fi
}

log() { printf '%b' "$2" >"$1.log"; }
result() { printf '{"id":{"testResult":{"label":"//t:%s","run":1,"shard":1,"attempt":1}},"testResult":{"testActionOutput":[{"name":"test.log","uri":"file://%s/%s.log"}]}}\n' "$1" "$PWD" "$1"; }
status() { printf '{"id":{"testSummary":{"label":"//t:%s"}},"testSummary":{"overallStatus":"%s"}}\n' "$1" "$2"; }
finished() { printf '{"id":{"buildFinished":{}},"finished":{"exitCode":{"name":"%s","code":%s}}}\n' "$1" "$2"; }
unbuilt() { printf '{"id":{"targetCompleted":{"label":"//t:%s"}},"completed":{}}\n' "$1"; }

expect "no file is a failure" 1 "0 passed, 1 failed, 0 skipped" missing.json
: >empty.json
expect "an empty file is a failure" 1 "0 passed, 1 failed, 0 skipped" empty.json
printf 'not json\n' >noise.json
expect "a file without events is a failure" 1 "0 passed, 1 failed, 0 skipped" noise.json

log unit '[doctest] test cases:  5 |  5 passed | 0 failed | 0 skipped\n'
{ result unit; status unit PASSED; finished SUCCESS 0; } >unit.json
expect "doctest's cases are counted" 0 "5 passed, 0 failed, 0 skipped" unit.json
expect "two runs add up" 0 "10 passed, 0 failed, 0 skipped" unit.json windows=unit.json

log bad '[doctest] test cases:  5 |  3 passed | 2 failed | 0 skipped\r\n'
{ result bad; status bad FAILED; finished TESTS_FAILED 3; } >bad.json
expect "failed cases" 1 "3 passed, 2 failed, 0 skipped" bad.json

log crash 'doctest version\nSegmentation fault\n'
{ result crash; status crash FAILED; finished TESTS_FAILED 3; } >crash.json
expect "a crash without a summary" 1 "0 passed, 1 failed, 0 skipped" crash.json
log late '[doctest] test cases:  5 |  5 passed | 0 failed | 0 skipped\nLeakSanitizer: leak\n'
{ result late; status late FAILED; finished TESTS_FAILED 3; } >late.json
expect "a failure after the cases" 1 "5 passed, 1 failed, 0 skipped" late.json

log whole 'PASS: a\nPASS: b\nSKIP: no cgroup v2\n'
{ result whole; status whole PASSED; finished SUCCESS 0; } >whole.json
expect "PASS and SKIP lines" 0 "2 passed, 0 failed, 1 skipped" whole.json
log skip 'SKIP: no newuidmap\n'
{ result skip; status skip PASSED; finished SUCCESS 0; } >skip.json
expect "nothing but skipped" 0 "0 passed, 0 failed, 1 skipped" skip.json
log plain 'hello\n'
{ result plain; status plain PASSED; finished SUCCESS 0; } >plain.json
expect "a test that counts nothing" 0 "1 passed, 0 failed, 0 skipped" plain.json
log liar 'PASS: a\nFAIL: b\n'
{ result liar; status liar PASSED; finished SUCCESS 0; } >liar.json
expect "FAIL lines with exit status 0" 1 "1 passed, 2 failed, 0 skipped" liar.json

{ status slow TIMEOUT; finished TESTS_FAILED 3; } >slow.json
expect "a time-out" 1 "0 passed, 1 failed, 0 skipped" slow.json
{ unbuilt broken; status broken NO_STATUS; finished BUILD_FAILURE 1; } >broken.json
expect "a test that did not build" 1 "0 passed, 1 failed, 0 skipped" broken.json
finished PARSING_FAILURE 1 >parsing.json
expect "a broken BUILD file" 1 "0 passed, 1 failed, 0 skipped" parsing.json
{ result unit; status unit PASSED; } >cut.json
expect "an interrupted run" 1 "5 passed, 1 failed, 0 skipped" cut.json
expect "steps outside Bazel" 1 "6 passed, 1 failed, 1 skipped" --passed lint --failed fuzz --skipped "lab: none" unit.json

exit "$failures"
