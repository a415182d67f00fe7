"""Microsoft's executor and library beside ours: config to exit of `true`, and the same from Node through SDK 1.0."""

import json
import os
import statistics
import subprocess
import time

# Runs `true` once for each line that it reads, and says how long that took, in milliseconds.
LOOP = """
import * as readline from 'node:readline';
const sdk = await import(process.argv[1]);
const request = { command: 'true' };
await sdk.run(request);
for await (const _ of readline.createInterface({ input: process.stdin })) {
  const begin = performance.now();
  const done = await sdk.run(request);
  if (done.exitCode !== 0) process.exit(1);
  console.log(performance.now() - begin);
}
"""


class Loop:
    def __init__(self, sdks, environment):
        argv = [os.path.join(sdks, "node/bin/node"), "--input-type=module", "-e", LOOP, os.path.join(sdks, "sdk-1.0/dist/v1/index.js")]
        self.node = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"], **environment})

    def once(self):
        self.node.stdin.write("\n")
        self.node.stdin.flush()
        return float(self.node.stdout.readline())

    def close(self):
        self.node.stdin.close()
        self.node.wait()


def executor(argv):
    begin = time.perf_counter()
    subprocess.run(argv, stdin=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begin) * 1000


def measure(arguments, work):
    """Medians in milliseconds and their ratios; {"error": …} where Microsoft's are not here."""
    sdks = arguments.sdks
    if not sdks or not os.path.isdir(os.path.join(sdks, "sdk-1.0")):
        return {"error": "Microsoft's SDKs are not here (tools/test brings them)"}
    config = os.path.join(work, "true.json")
    with open(config, "w", encoding="utf-8") as file:
        json.dump({"version": "1.0.0", "process": {"commandLine": "true"}}, file)
    ours = os.path.dirname(arguments.mxc)
    loops = {"ours": Loop(sdks, {"MXC_FFI_DIR": arguments.library, "MXC_BIN_DIR": ours}), "theirs": Loop(sdks, {})}
    executors = {"ours": os.path.join(ours, "lxc-exec"), "theirs": os.path.join(sdks, "sdk-1.0/bin/x64/lxc-exec")}
    taken = {kind: {"ours": [], "theirs": []} for kind in ("executor", "library")}
    for _ in range(max(20, arguments.rounds // 4)):
        for who in ("ours", "theirs"):
            taken["executor"][who].append(executor([executors[who], config]))
            taken["library"][who].append(loops[who].once())
    for loop in loops.values():
        loop.close()
    figures = {}
    for kind, times in taken.items():
        medians = {who: statistics.median(values) for who, values in times.items()}
        figures[kind] = {**{who + "_ms": round(value, 2) for who, value in medians.items()}, "ratio": round(medians["ours"] / medians["theirs"], 3)}
    return figures


def judge(budgets, figures):
    budgets.at_most("lxc-exec to Microsoft's, config to exit", figures["executor"]["ratio"], 0.4)
    budgets.at_most("libmxc_ffi.so to Microsoft's, from Node", figures["library"]["ratio"], 0.6)
