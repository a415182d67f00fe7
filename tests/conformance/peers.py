"""The peers that the cases are checked against, and where they are known to differ from what is asked.

A peer's failure listed here is a SKIP, and its success a FAIL, so that the table is kept true. Versions: runc 1.1.5, crun 1.8.1
(Debian 12), both older than version 1.2 of the specification.
"""

import os
import re
import subprocess

# {peer: [(pattern of names, why it differs)]}
DEVIATIONS = {"runc": [], "crun": []}


def name(runtime):
    return os.path.basename(runtime)


def is_peer(runtime):
    return name(runtime) in DEVIATIONS


def prepare(runtime):
    """What a peer needs of the host, in the case's mount namespace."""
    # crun takes a hybrid cgroup layout only when it does not see the v2 tree.
    if name(runtime) == "crun" and os.path.isdir("/sys/fs/cgroup/unified"):
        subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=False)


def deviation(runtime, case):
    """Why that peer is known to fail this case, or ''."""
    for pattern, why in DEVIATIONS.get(name(runtime), []):
        if re.fullmatch(pattern, case):
            return why
    return ""
