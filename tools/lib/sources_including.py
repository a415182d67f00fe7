#!/usr/bin/env python3
"""Of the C++ files on stdin, prints the source files that clang-tidy can read: those that compile_commands.json (argument)
names, and for each header one source file that includes it, its own .cc first."""

import json
import pathlib
import sys


def main():
    known = sorted({command["file"] for command in json.loads(pathlib.Path(sys.argv[1]).read_text())})
    texts = {}
    chosen = set()
    for name in sys.stdin.read().split():
        if name in known:
            chosen.add(name)
        elif name.endswith(".h"):
            own = name[:-2] + ".cc"
            if own in known:
                chosen.add(own)
                continue
            for source in known:
                if source not in texts:
                    texts[source] = pathlib.Path(source).read_text(errors="replace") if pathlib.Path(source).exists() else ""
                if f'#include "{name}"' in texts[source]:
                    chosen.add(source)
                    break
    print("\n".join(sorted(chosen)))


if __name__ == "__main__":
    main()
