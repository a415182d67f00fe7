#!/bin/sh
# Every sample report satisfies docs/exit-report.schema.json, and the schema is strict enough to notice a change.
set -eu
if ! python3 -c 'import jsonschema' 2>/dev/null; then
  echo "python3-jsonschema is missing: apt-get install python3-jsonschema" >&2
  exit 1
fi
shared/report/exit_report_samples > "$TEST_TMPDIR/samples.json"
python3 - docs/exit-report.schema.json "$TEST_TMPDIR/samples.json" <<'PYTHON'
import copy, json, sys
import jsonschema

schema = json.load(open(sys.argv[1]))
samples = json.load(open(sys.argv[2]))
validator = jsonschema.Draft7Validator
validator.check_schema(schema)
for sample in samples:
    validator(schema).validate(sample)

full = samples[1]
def refused(change):
    broken = copy.deepcopy(full)
    change(broken)
    return not validator(schema).is_valid(broken)

assert refused(lambda r: r.update(extra=1)), "an unknown field passed"
assert refused(lambda r: r["ended"].update(how="vanished")), "an unknown ending passed"
assert refused(lambda r: r["usage"].update(wallUs=-1)), "a negative time passed"
assert refused(lambda r: r.update(startedAt="yesterday")), "a loose time passed"
assert refused(lambda r: r["applied"][0].update(strength="strong")), "an unknown strength passed"
for name in full:
    if name in ("policy", "policyDigest", "profile", "error"):
        continue
    assert refused(lambda r: r.pop(name)), f"a report without {name} passed"

def documented(node, where):
    if isinstance(node, dict):
        for name, child in node.get("properties", {}).items():
            assert "description" in child, f"{where}/{name} has no description"
            documented(child, f"{where}/{name}")
        documented(node.get("items"), where + "/0")
documented(schema, "")
print(f"{len(samples)} reports")
PYTHON
