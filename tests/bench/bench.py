#!/usr/bin/env python3
"""Measures what mxc promises about speed, beside a floor program, bubblewrap, crun and runc.

Prints a table and PASS or MISS for each budget; docs/performance.md explains them. --json FILE writes the figures.
Exit code: 0; with --strict 1 when a budget is missed; 2 when a measurement could not be made.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import compat  # noqa: E402
import containers  # noqa: E402
import jobs  # noqa: E402
import daemon  # noqa: E402
import network  # noqa: E402
import starts  # noqa: E402


class Budgets:
    """Collects figures against what they may be at most (or at least), and prints one line for each."""

    def __init__(self):
        self.rows = []

    def at_most(self, name, value, limit, unit="x"):
        self.rows.append((name, value, "<=", limit, unit, value <= limit))

    def at_least(self, name, value, limit, unit="x"):
        self.rows.append((name, value, ">=", limit, unit, value >= limit))

    def missed(self):
        return [row for row in self.rows if not row[5]]

    def show(self):
        for name, value, sign, limit, unit, good in self.rows:
            print(f"{'PASS' if good else 'MISS'}  {name:<52} {value:>9.3f} {sign} {limit:g} {unit}")

    def as_json(self):
        return [{"name": n, "value": v, "limit": f"{s} {l:g}", "unit": u, "pass": g} for n, v, s, l, u, g in self.rows]


def machine():
    kernel = os.uname().release
    return {"kernel": kernel, "processors": os.cpu_count(), "load_average": os.getloadavg()}


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mxc", required=True, help="the mxc to measure")
    parser.add_argument("--runtime", help="the mxc-runtime to measure; as root only")
    parser.add_argument("--programs", default=os.path.dirname(os.path.abspath(__file__)), help="folder with floor, true, …")
    parser.add_argument("--rounds", type=int, default=200, help="starts of each program (200)")
    parser.add_argument("--only", default="", help="comma-separated: starts, containers, translate, seccomp, numpy, many, memory, network, compat, daemon")
    parser.add_argument("--library", help="folder of the libmxc_ffi.so to measure; lxc-exec lies beside mxc")
    parser.add_argument("--sdks", help="folder with Microsoft's SDKs and Node")
    parser.add_argument("--against", help="a second mxc, measured beside the first as mxc-old")
    parser.add_argument("--user", type=int, default=65534, help="uid of the rootless part, when run as root (65534)")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a budget is missed")
    return parser.parse_args()


def show_starts(title, result):
    print(f"\n{title}")
    if "error" in result:
        print("  not measured: " + result["error"])
        return
    print(f"  {'':<14}{'median':>10}{'fastest':>10}{'p90':>10}{'to floor':>11}{'fastest':>9}")
    for name, row in result["programs"].items():
        print(f"  {name:<14}{row['median_ms']:>7.2f} ms{row['min_ms']:>7.2f} ms{row['p90_ms']:>7.2f} ms"
              f"{row['ratio']:>10.2f}x{row['min_ratio']:>8.2f}x")
    for name, why in result["left_out"].items():
        print(f"  {name:<14}left out: {why}")


def judge_starts(budgets, who, result):
    programs = result.get("programs", {})
    if "mxc" not in programs:
        return
    budgets.at_most(f"start as {who}: mxc to the floor", programs["mxc"]["ratio"], 2.0)
    if "bwrap" in programs:
        budgets.at_most(f"start as {who}: mxc to bubblewrap", programs["mxc"]["median_ms"] / programs["bwrap"]["median_ms"], 1.0)


def measure(arguments, work, budgets, figures):
    wanted = {w for w in arguments.only.split(",") if w}

    def part(name):
        return not wanted or name in wanted

    if part("starts"):
        for who, result in starts.measure(arguments, work):
            figures["starts as " + who] = result
            show_starts(f"Start to exit of a static true, as {who}", result)
            judge_starts(budgets, who, result)
    if part("containers") and arguments.runtime and os.getuid() == 0:
        result = figures["containers"] = containers.measure(arguments, work)
        if "error" in result:
            raise RuntimeError("containers: " + result["error"])
        for name in ("run without cgroups", "run with cgroups", "create, start, delete", "exec"):
            show_starts(f"Containers: {name}", result[name])
        print(f"\nContainers a second, 64 at once: {result['at once']}; memory in KiB: {result['memory']}")
        containers.judge(budgets, result)
    if part("translate"):
        figures["translate"] = jobs.translate(arguments.programs)
        budgets.at_least("resolve and translate, one thread, slowest profile", min(figures["translate"].values()), 10000, "/s")
    if part("seccomp"):
        figures["seccomp"] = jobs.seccomp(arguments.programs)
        budgets.at_least("10 million getppid: speed to a flat list's", figures["seccomp"]["speed_ratio"], 0.9)
    if part("numpy"):
        figures["numpy"] = jobs.numpy(arguments.mxc, work)
        budgets.at_least("Python and NumPy: speed inside to outside", figures["numpy"]["ratio"], 0.98)
    if part("many"):
        figures["many"] = starts.beside_many(arguments, work)
        budgets.at_most("start beside 200 sandboxes to alone", figures["many"]["ratio_own"], 1.2)
        budgets.at_most("start beside 200 in the same work tree to alone", figures["many"]["ratio_same"], 1.2)
    if part("network") and os.getuid() == 0:
        figures["network"] = network.measure(arguments.mxc, work, min(arguments.rounds, 100))
        print(f"\nNetwork rules: {figures['network']}")
        budgets.at_most("start with network rules to none, as root", figures["network"]["start_ratio"], 1.6)
        budgets.at_least("TCP through the rules to a plain veth with NAT", figures["network"]["speed_ratio"], 0.9)
        budgets.at_most("start with names to none, as root", figures["network"]["names_start_ratio"], 1.6)
        budgets.at_least("TCP to a name to a plain veth with NAT", figures["network"]["names_speed_ratio"], 0.7)
        budgets.at_most("first connect to a name over the resolver's own time, ms", figures["network"]["first_connect_ms"], 2.0)
        budgets.at_least("connections to a name at once", figures["network"]["connections"], 5000)
        budgets.at_most("memory of the gateway with these, MiB", figures["network"]["gateway_mib"], 100.0)
        budgets.at_most("a refused connect's answer, ms", figures["network"]["refused_ms"], 1.0)
    mxcd = os.path.join(os.path.dirname(os.path.realpath(arguments.mxc)), "mxcd")
    if part("daemon") and os.getuid() == 0 and os.path.exists(mxcd):
        result = figures["daemon"] = daemon.measure(arguments.mxc, mxcd, min(arguments.rounds, 60))
        print(f"\nThrough mxcd: {result}")
        budgets.at_most("run through mxcd to a direct one", result["run_to_direct"], 1.3)
        budgets.at_most("exec in a session to fork, exec and a round trip", result["exec_to_floor"], 1.3)
        budgets.at_least("stream over the wire to a plain unix socket", result["stream_to_socket"], 0.7)
        budgets.at_least("fairness of 20 writers at once (Jain)", result["jain_index"], 0.95)
        budgets.at_most("mxcd with 1,000 idle sessions, MiB", result["mxcd_mib_with_1000"], 30.0)
        budgets.at_most("a session's supervisor, KiB of its own", result["supervisor_kib"], 300.0)
    if part("compat") and arguments.library:
        result = figures["compat"] = compat.measure(arguments, work)
        if "error" in result:
            print("\nMicrosoft's executor and library: left out: " + result["error"])
        else:
            print(f"\nMicrosoft's executor and library beside ours: {result}")
            compat.judge(budgets, result)
    if part("memory"):
        figures["memory"] = jobs.memory(arguments.mxc, work)


def bring_along(arguments, work):
    """Copies what is measured to where an ordinary user reaches it: a checkout or a build folder may lie in root's home."""
    folder = os.path.join(work, "programs")
    os.mkdir(folder, 0o755)
    for name in ("floor", "container_floor", "pause", "true", "translate_bench", "seccomp_getppid"):
        shutil.copy(os.path.join(arguments.programs, name), folder)
    arguments.programs, arguments.original = folder, arguments.mxc
    arguments.mxc = shutil.copy(arguments.mxc, os.path.join(folder, "mxc"))
    if arguments.runtime:
        arguments.runtime = shutil.copy(arguments.runtime, os.path.join(folder, "mxc-runtime"))
    if arguments.library:
        shutil.copy(os.path.join(os.path.dirname(arguments.original), "lxc-exec"), folder)
        shutil.copy(os.path.join(arguments.library, "libmxc_ffi.so"), folder)
        arguments.library = folder
    if arguments.against:
        arguments.against = shutil.copy(arguments.against, os.path.join(folder, "mxc-old"))


def main():
    arguments = options()
    arguments.mxc = os.path.abspath(arguments.mxc)
    arguments.programs = os.path.abspath(arguments.programs)
    if not os.access(arguments.mxc, os.X_OK):
        print(f"bench: no program at {arguments.mxc}: run tools/build first", file=sys.stderr)
        return 2
    budgets = Budgets()
    figures = {"machine": machine()}
    # Not below /tmp: every sandbox has its own there.
    work = tempfile.mkdtemp(prefix="mxc-bench-", dir="/var/tmp")
    os.chmod(work, 0o755)
    bring_along(arguments, work)
    broken = False
    try:
        measure(arguments, work, budgets, figures)
    except (OSError, RuntimeError, subprocess.CalledProcessError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        broken = True
    finally:
        shutil.rmtree(work, ignore_errors=True)
    figures["load_average_at_end"] = os.getloadavg()
    if "memory" in figures:
        print("\nMemory of its own (Private_Dirty): " +
              ", ".join(f"{name} {size} KiB" for name, size in figures["memory"].items()))
    print()
    budgets.show()
    print("load average " + " ".join(f"{n:.2f}" for n in figures["load_average_at_end"]))
    figures["budgets"] = budgets.as_json()
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)
            file.write("\n")
    if broken:
        return 2
    return 1 if arguments.strict and budgets.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
