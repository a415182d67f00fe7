"""Capability sets as /proc/PID/status shows them."""

import host

KINDS = {"inheritable": "CapInh", "permitted": "CapPrm", "effective": "CapEff", "bounding": "CapBnd", "ambient": "CapAmb"}
# <linux/capability.h>
NUMBERS = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_NET_BIND_SERVICE": 10, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21,
           "CAP_SYS_RESOURCE": 24, "CAP_AUDIT_WRITE": 29}  # fmt: skip


def bits(names):
    """The set of those names."""
    return sum(1 << NUMBERS[name] for name in names)


def sets(text):
    """{kind: set} of a status file's text."""
    return {kind: int(host.status_field(text, field), 16) for kind, field in KINDS.items()}
