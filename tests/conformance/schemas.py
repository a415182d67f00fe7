"""Validates documents against the runtime specification's JSON schemas, which aren't part of this repository.

They are looked for in the folder that MXC_OCI_SCHEMA names, else in oci/ below MXC_SHARED, else in ../shared/oci beside the checkout.
"""

import json
import os
import pathlib
import warnings

import harness


def folder():
    """Where the schemas lie; Skip when they don't."""
    here = pathlib.Path(os.path.realpath(__file__)).parent
    shared = os.environ.get("MXC_SHARED")
    choices = [os.environ.get("MXC_OCI_SCHEMA"), shared and os.path.join(shared, "oci"), here.parents[2] / "shared" / "oci"]
    for choice in choices:
        if choice and (pathlib.Path(choice) / "config-schema.json").is_file():
            return pathlib.Path(choice)
    raise harness.Skip("the runtime specification's JSON schemas are not here")


def errors(name, document):
    """What the schema of that file name has against the document, in words."""
    place = folder()
    try:
        import jsonschema
    except ImportError:
        raise harness.Skip("python3-jsonschema is not installed") from None
    schema = json.loads((place / name).read_text())
    store = {path.resolve().as_uri(): json.loads(path.read_text()) for path in place.glob("*.json")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        resolver = jsonschema.RefResolver((place / name).resolve().as_uri(), schema, store)
        validator = jsonschema.Draft4Validator(schema, resolver=resolver)
        return [f"/{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator.iter_errors(document)]
