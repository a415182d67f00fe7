#!/usr/bin/env python3
"""Turns `bazel aquery --output=jsonproto` of C++ compilations (stdin) into compile_commands.json (stdout).

    compile_commands.py WORKSPACE OUTPUT_BASE OUTPUT_PATH

Paths below external/ and bazel-out/ become absolute: the links in Bazel's execution root hold only what the last build used.
Flags that only g++ knows are left out, since clang-tidy reads the result.
"""

import json
import sys

GCC_ONLY = ("-fno-canonical-system-headers", "-Wno-free-nonheap-object", "-Wunused-but-set-parameter")


def main():
    workspace, output_base, output_path = sys.argv[1:4]

    def absolute(argument):
        for prefix in ("", "-I", "-L"):
            for folder, base in (("external/", f"{output_base}/external/"), ("bazel-out/", f"{output_path}/")):
                if argument.startswith(prefix + folder):
                    return prefix + base + argument[len(prefix + folder):]
        return argument

    commands = []
    for action in json.load(sys.stdin).get("actions", []):
        arguments = action["arguments"]
        if "-c" not in arguments:
            continue
        source = arguments[arguments.index("-c") + 1]
        if source.startswith("external/"):
            continue
        kept = [absolute(a) for a in arguments if a not in GCC_ONLY and not a.startswith("-D__")]
        commands.append({"directory": workspace, "file": source, "arguments": kept})
    json.dump(commands, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
