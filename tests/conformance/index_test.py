#!/usr/bin/env python3
"""docs/conformance.md names every case, and no case that is not there.

index_test.py DOCUMENT: its headings are sections in backquotes, its tables' second columns names of cases in backquotes.
"""

import pathlib
import re
import subprocess
import sys


def documented(text):
    """Whole names of the cases that the document's tables hold."""
    found, section = set(), ""
    for line in text.splitlines():
        heading = re.match(r"#+ (?:`([a-z_.]+)`)?", line)
        if heading:
            section = heading[1] or ""
        elif section and line.startswith("|"):
            found.update(f"{section}.{name}" for name in re.findall(r"`([a-z0-9_.]+)`", line.split("|")[2]))
    return found


def listed(folder):
    """Names of the cases that the programs have; both callers of a case count as one."""
    found = []
    for program in sorted(folder.glob("*.py")):
        if "\n    main()\n" in program.read_text() and program.name != "index_test.py":
            out = subprocess.run([sys.executable, "-B", program, "--list"], check=True, capture_output=True, text=True).stdout
            found += [name.removesuffix("_rootless") for name in out.split()]
    return set(found)


def look():
    names = documented(pathlib.Path(sys.argv[1]).read_text())
    cases = listed(pathlib.Path(__file__).parent)
    for name in sorted(cases - names):
        print(f"FAIL: {name} is not in {sys.argv[1]}")
    for name in sorted(names - cases):
        print(f"FAIL: {name} of {sys.argv[1]} does not exist")
    print(f"{len(cases & names)} cases")
    sys.exit(1 if cases != names or not cases else 0)


look()
