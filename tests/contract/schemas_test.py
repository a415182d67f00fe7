#!/usr/bin/env python3
"""The reader accepts and refuses documents as the published JSON schemas do; where it differs, a line below says why.

schemas_test.py READ_POLICIES: random and mutated documents of each version with a schema in ../shared/mxc/schemas.
"""

import json
import os
import pathlib
import random
import re
import subprocess
import sys

DOCUMENTS = int(os.environ.get("MXC_DOCUMENTS", "3000"))
VERSIONS = ["0.4.0-alpha", "0.5.0-alpha", "0.6.0-alpha", "0.7.0-alpha", "0.8.0-alpha"]

# What a schema takes and the reader refuses: pattern of "pointer: message" → why.
STRICTER = {
    r"required field \"version\"": "a version is never guessed",
    r"unknown field": "schemas before 0.7 are open: a misspelt denial would be ignored",
    r"comes with contract|is gone since contract": "schemas before 0.7 are open",
    r"required field \"(commandLine|process|distribution|release|lxc)\"|/process/commandLine: .*empty": "0.8 marks as optional what it needs",
    r"does not belong to containment": "only 0.7 says so in the schema; the executors of all versions refuse it",
    r"no absolute path|relative|starts with ~|the path|a path|too long|empty": "paths are absolute: nobody knows the executor's folder",
    r"is no KEY=VALUE|has no =|no name before|variable": "entries that would be dropped without a word",
    r"address|range|prefix|IPv4|IPv6|is not part of|host name|CIDR": "rules of addresses: facts of the contract that a schema can't say",
    r"endPort|port": "rules of ports",
    r"can't stand together|both are here|named twice|a proxy|proxy": "what fields say together",
    r"local network\"|test proxy": "has no meaning on Linux",
    r"expected a whole number, found the number [0-9]+\.0": "1.0 is an integer to a schema and none to the contract's types",
    r"out of range|at most|from 0 to": "32 bits",
    r"null": "0.5 to 0.7 have open places where null is any value",
}
# What a schema refuses and the reader takes: pointer of the schema's complaint → why.
LAXER = {
    r"^containment": "aliases of names were taken until 0.9; \"mxc\" is ours",
    r"appContainer|macos_sandbox": "alias",
    r"memoryMb": "later versions have no least amount",
}


def is_unsupported_containment(answer):
    return answer.startswith("UNSUPPORTED /containment:")


WORDS = ["", "a", "/a", "/usr", "block", "allow", "deny", "lxc", "process", "10.0.0.0/8", "192.0.2.1", "example.org", "tcp", "any", "A=1", "none", "null", "0.8.0-alpha"]


def value(rng, depth=0):
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return None
    if kind == 1:
        return rng.choice([True, False])
    if kind == 2:
        return rng.choice([0, 1, -1, 443, 65535, 65536, 2**32, 1.5])
    if kind in (3, 4, 5):
        return rng.choice(WORDS)
    if kind in (6, 7):
        return [value(rng, depth + 1) for _ in range(rng.randrange(3))]
    return {rng.choice(["a", "default", "cidr", "port", "enabled", "localhost"]): value(rng, depth + 1) for _ in range(rng.randrange(3))}


def resolved(schema, root):
    while isinstance(schema, dict) and "$ref" in schema:
        target = root
        for part in schema["$ref"].split("/")[1:]:
            target = target[part]
        schema = target
    return schema


def sample(schema, root, rng, depth=0):
    """A document that fits the schema, more or less: the schema's semantic rules are not looked at."""
    schema = resolved(schema, root)
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return sample(rng.choice(schema[key]), root, rng, depth)
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = rng.choice(kind)
    if kind == "object" or "properties" in schema:
        names = [name for name in schema.get("properties", {}) if name in schema.get("required", []) or rng.random() < 0.4]
        return {name: sample(schema["properties"][name], root, rng, depth + 1) for name in names}
    if kind == "array":
        return [sample(schema.get("items", {}), root, rng, depth + 1) for _ in range(rng.randrange(3))]
    if kind == "string":
        return rng.choice(["x", "/a/b", "/usr", "A=1", "192.0.2.0/24", "2001:db8::/32", "http://localhost:80"])
    if kind == "integer":
        return rng.choice([schema.get("minimum", 0), 1, 443, min(schema.get("maximum", 65535), 65535)])
    if kind == "boolean":
        return rng.choice([True, False])
    if kind == "null":
        return None
    return value(rng, depth)


def places(document, path=()):
    found = [path] if path else []
    if isinstance(document, dict):
        for name, item in document.items():
            found += places(item, (*path, name))
    elif isinstance(document, list):
        for index, item in enumerate(document):
            found += places(item, (*path, index))
    return found


def mutate(document, rng):
    document = json.loads(json.dumps(document))
    spots = [path for path in places(document) if path[0] != "version"]
    if not spots:
        return document
    *way, last = rng.choice(spots)
    holder = document
    for part in way:
        holder = holder[part]
    action = rng.randrange(4)
    if action == 0:
        del holder[last]
    elif action == 1:
        holder[last] = value(rng)
    elif action == 2 and isinstance(holder, dict):
        holder[rng.choice(["x", "egress", "telemetry", "ui", "Process", "wslc", "seatbelt", "proxy", "inheritDefaultEnv"])] = value(rng)
    else:
        holder[last] = None
    return document


def documents(schema, version, rng):
    for _ in range(DOCUMENTS):
        document = {**sample(schema, schema, rng), "version": version}
        document.setdefault("process", {"commandLine": "x"})
        if rng.random() < 0.6:
            document = {name: item for name, item in document.items() if name in ("version", "process") or rng.random() < 0.4}
        for _ in range(rng.choice([0, 1, 1, 2])):
            document = mutate(document, rng)
        yield document


def without_nulls(document):
    if isinstance(document, dict):
        return {name: without_nulls(item) for name, item in document.items() if item is not None}
    return [without_nulls(item) for item in document] if isinstance(document, list) else document


def explained(table, text):
    return any(re.search(pattern, text) for pattern in table)


def main():
    schemas = pathlib.Path(os.path.realpath(__file__)).parents[2] / ".." / "shared" / "mxc" / "schemas"
    if not schemas.is_dir():
        print("left out: ../shared/mxc/schemas is not beside this checkout\n0 passed, 0 failed, 1 skipped")
        return 0
    try:
        import jsonschema
    except ImportError:
        print("left out: python3-jsonschema is not installed\n0 passed, 0 failed, 1 skipped")
        return 0
    failed = 0
    for version in VERSIONS:
        rng = random.Random(version)
        schema = json.loads((schemas / f"mxc-config.schema.{version}.json").read_text())
        validator = jsonschema.Draft7Validator(schema)
        asked = list(documents(schema, version, rng))
        text = "".join(json.dumps(document) + "\n" for document in asked)
        answers = subprocess.run([sys.argv[1]], input=text, capture_output=True, text=True, check=True).stdout.splitlines()
        assert len(answers) == len(asked), "an answer a document"
        both = [0, 0]
        unexplained = []
        for document, answer in zip(asked, answers):
            complaint = next(iter(validator.iter_errors(document)), None)
            ours = answer == "ok" or is_unsupported_containment(answer)
            if (complaint is None) == ours:
                both[ours] += 1
            elif complaint is None:
                if not explained(STRICTER, answer):
                    unexplained.append((document, f"the schema takes it: {answer}"))
            elif version == "0.8.0-alpha" and validator.is_valid(without_nulls(document)):
                pass  # null stands for an absent field there, whatever the field
            elif not explained(LAXER, "/".join(map(str, complaint.absolute_path)) + " " + complaint.message):
                unexplained.append((document, f"the schema refuses it: {'/'.join(map(str, complaint.absolute_path))}: {complaint.message}"[:300]))
        print(f"{'FAIL' if unexplained else 'PASS'}: {version}: {both[1]} taken and {both[0]} refused by both, of {len(asked)}; {len(unexplained)} unexplained")
        for document, why in unexplained[:5]:
            print("  ", json.dumps(document)[:300], "\n    ", why)
        failed += bool(unexplained) or min(both) < DOCUMENTS // 50
    print(f"{len(VERSIONS) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
