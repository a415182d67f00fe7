"""Starts programs and takes the time, several kinds in turns, so that the machine's load falls on all of them alike."""

import os
import statistics
import time

DEVNULL = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
           (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]


def once(argv, environment):
    """Milliseconds from spawning to having waited, and the exit code."""
    start = time.perf_counter_ns()
    pid = os.posix_spawn(argv[0], argv, environment, file_actions=DEVNULL)
    status = os.waitpid(pid, 0)[1]
    return (time.perf_counter_ns() - start) / 1e6, os.waitstatus_to_exitcode(status)


def interleaved(commands, rounds, environment):
    """commands: name → argv. Returns name → list of milliseconds. An exit code other than 0 raises RuntimeError."""
    times = {name: [] for name in commands}
    for number in range(rounds + 3):
        for name, argv in commands.items():
            taken, code = once(argv, environment)
            if code != 0:
                raise RuntimeError(f"{name} ended with {code}: {' '.join(argv)}")
            if number >= 3:
                times[name].append(taken)
    return times


def summary(times):
    ordered = sorted(times)
    return {"median_ms": round(statistics.median(ordered), 4), "min_ms": round(ordered[0], 4),
            "p10_ms": round(ordered[len(ordered) // 10], 4), "p90_ms": round(ordered[len(ordered) * 9 // 10], 4),
            "runs": len(ordered)}
