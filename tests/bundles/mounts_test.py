#!/usr/bin/env python3
"""The root, the mounts and the devices of plain bundles, as runtime-spec's config.md and config-linux.md say."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bundle import bind, case, check, contains, equal, lacks, main, proc, tmpfs  # noqa: E402


@case
def typical_config(bundle):
    """What podman and docker write down: the file systems, devices and masks are there."""
    out = bundle.ask("""
      for path in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys; do grep -q " $path " /proc/self/mountinfo || echo missing $path; done
      for node in null zero full random urandom tty; do test -c /dev/$node || echo no $node; done
      echo x > /dev/null; head -c 4 /dev/zero | wc -c
      ls -l /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx | awk '{print $9 $10 $11}'
      cat /proc/keys | wc -c; ls /sys/firmware | wc -l
      echo 1 > /proc/sys/vm/swappiness && echo writable
      cat /proc/self/comm
    """)
    equal(out.split("\n"), ["4", "/dev/fd->/proc/self/fd", "/dev/ptmx->pts/ptmx", "/dev/stderr->/proc/self/fd/2",
                            "/dev/stdin->/proc/self/fd/0", "/dev/stdout->/proc/self/fd/1", "0", "0", "cat"], "output")


if __name__ == "__main__":
    main()
