#!/usr/bin/env python3
"""The administrative template names what mxc.exe reads, all of it and nothing else, and every text that it refers to is there.

PROGRAM ADMX ADML MANAGED_POLICY_CC
"""

import re
import sys
import xml.etree.ElementTree

SPACE = "{http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions}"
KEY = "SOFTWARE\\Policies\\MxcRuntime\\MxcHost"


def main():
    admx, adml = (xml.etree.ElementTree.parse(file).getroot() for file in sys.argv[1:3])
    with open(sys.argv[3], encoding="utf-8") as file:
        known = dict(re.findall(r'\{"(\w+)", Known::Type::k(\w+)\}', file.read()))
    found = {}
    for policy in admx.iter(SPACE + "policy"):
        assert policy.get("class") == "Machine", policy.attrib
        assert policy.get("key") == KEY, policy.attrib
        if policy.get("valueName"):
            found[policy.get("valueName")] = "Flag"
        for text in policy.iter(SPACE + "text"):
            found[text.get("valueName")] = "Text"
        for items in policy.iter(SPACE + "list"):
            assert items.get("key") == f"{KEY}\\{items.get('id')}", items.attrib
            found[items.get("id")] = "List"
    del known["SchemaVersion"]  # for who writes the registry otherwise
    assert found == known, set(found.items()) ^ set(known.items())
    texts = {one.get("id") for one in adml.iter(SPACE + "string")}
    presentations = {one.get("id") for one in adml.iter(SPACE + "presentation")}
    used = [match for one in admx.iter() for value in one.attrib.values() for match in re.findall(r"\$\((\w+)\.(\w+)\)", value)]
    assert {name for kind, name in used if kind == "string"} == texts, "texts"
    assert {name for kind, name in used if kind == "presentation"} == presentations, "presentations"
    elements = {one.get("id") for kind in ("text", "list") for one in admx.iter(SPACE + kind)}
    assert {one.get("refId") for one in adml.iter() if one.get("refId")} == elements, "fields"


if __name__ == "__main__":
    main()
