"""Words of the specification's seccomp section that several programs use."""

import os

# Of the machine the cases run on.
ARCH = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}[os.uname().machine]


def rule(*names, action="SCMP_ACT_ERRNO", **fields):
    """An entry of linux.seccomp.syscalls."""
    return {"names": list(names), "action": action, **fields}
