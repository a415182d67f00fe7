#!/usr/bin/env python3
"""Checks the golden specifications against the runtime-spec's JSON schema, where that is present.

The schema isn't part of this repository: it is looked for in ../shared/oci beside the checkout (or in the folder that
MXC_OCI_SCHEMA names). Without it, or without python3-jsonschema, the check is left out, and says so.
"""

import json
import os
import pathlib
import sys
import warnings


def left_out(why):
    print(f"LEFT OUT: {why}")
    sys.exit(0)


def main():
    here = pathlib.Path(os.path.realpath(__file__)).parent
    folder = os.environ.get("MXC_OCI_SCHEMA")
    schemas = pathlib.Path(folder) if folder else here.parents[3] / "shared" / "oci"
    if not (schemas / "config-schema.json").is_file():
        left_out(f"no runtime-spec schema at {schemas}")
    try:
        import jsonschema
    except ImportError:
        left_out("python3-jsonschema is not installed")

    schema = json.loads((schemas / "config-schema.json").read_text())
    # Fragments are named by file; the parts for other systems are not there and never reached.
    store = {path.resolve().as_uri(): json.loads(path.read_text()) for path in schemas.glob("*.json")}
    base = (schemas / "config-schema.json").resolve().as_uri()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        validator = jsonschema.Draft4Validator(schema, resolver=jsonschema.RefResolver(base, schema, store))

        # The check must be able to fail: a reference that resolves to nothing would accept anything.
        planted = {"ociVersion": "1.2.0", "linux": {"namespaces": [{"type": "net"}]}}
        if validator.is_valid(planted):
            print("FAILED: the schema accepts a wrong namespace, so it isn't being followed into its other files")
            return 1

        bad = 0
        specs = sorted(here.glob("*.json"))
        for path in specs:
            for error in validator.iter_errors(json.loads(path.read_text())):
                print(f"{path.name}: /{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")
                bad += 1
    print(f"{len(specs)} specifications, {bad} errors")
    return 1 if bad or not specs else 0


sys.exit(main())
