#!/usr/bin/env python3
"""`mxc run --report`: what it says of each way to end, of names moved away, and that it fits its schema."""
import json
import os
import sys

sys.dont_write_bytecode = True
from harness import case, check, equal, main  # noqa: E402

SCHEMA = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../docs/exit-report.schema.json")


def report(box, policy, *argv, code=0, **options):
    path = box.path("runtime", "report.json")
    box.mxc("run", "--policy", box.policy_file(policy), "--report", path, "--", *argv, **options).expect(code)
    with open(path, encoding="utf-8") as file:
        told = json.load(file)
    try:
        import jsonschema
    except ImportError:
        print("  without python3-jsonschema the schema is left out", flush=True)
        return told
    with open(SCHEMA, encoding="utf-8") as file:
        jsonschema.validate(told, json.load(file))
    return told


@case
def each_way_to_end(box):
    ended = report(box, box.policy(), "sh", "-c", "exit 7", code=7)["ended"]
    equal((ended["exitCode"], ended["timedOut"], ended["outOfMemory"]), (7, False, False), "of exit 7")
    ended = report(box, box.policy(), "sh", "-c", "kill -SEGV $$", code=139)["ended"]
    equal((ended["exitCode"], ended["signal"]), (139, 11), "of a crash")
    told = report(box, box.policy(process={"commandLine": "x", "timeout": 300}), "sleep", "30", code=124)
    equal((told["ended"]["exitCode"], told["ended"]["timedOut"]), (124, True), "of a time-out")
    check(250_000 < told["usage"]["wallUs"] < 5_000_000, f"wall time {told['usage']['wallUs']} us")
    ended = report(box, box.policy(), "no-such-program", code=127)["ended"]
    equal(ended["exitCode"], 127, "of a missing program")


@case
def usage_is_measured(box):
    code = "import time\nx = bytearray(50 << 20)\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    usage = report(box, box.policy(), "python3", "-c", code)["usage"]
    check(250_000 < usage["userUs"] + usage["systemUs"] < 3_000_000, f"processor time {usage}")
    check(usage["maxRssBytes"] > 50 << 20, f"memory {usage}")


@case
def names_made_inside_are_reported(box):
    w = box.folder("work/rw")
    told = report(box, box.policy(rw=[w], deny=[f"{w}/key"]), "sh", "-c", f"echo planted > {w}/key; sleep 0.2")
    text = json.dumps(told["moved"])
    check(f"{w}/key" in text, f"moved: {text}")
    box.take_moved("key")


@case
def layers_are_named_per_path_and_field(box):
    box.file("work/rw/key", "secret")
    w = f"{box.work}/rw"
    told = report(box, box.policy(rw=[w], deny=[f"{w}/key"]), "true")
    fields = {line["field"]: line["strength"] for line in told["applied"]}
    equal(fields.get("/filesystem/deniedPaths"), "enforced", f"of {fields}")
    paths = {line["path"]: line for line in told["paths"]}
    check(w in paths and f"{w}/key" in paths, f"paths: {sorted(paths)}")


@case
def standard_output_can_take_it(box):
    ended = box.mxc("run", "--policy", box.policy_file(box.policy()), "--report", "-", "--", "true").expect(0)
    equal(json.loads(ended.out)["ended"]["exitCode"], 0, "the report on stdout")


if __name__ == "__main__":
    main()
