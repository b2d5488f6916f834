"""Whether this kernel has netem, its own emulator of networks (tc-netem(8)).

Links are carried in user space (`jamlab.networks.tun_link`) where it has and where it has not, for
netem cannot be the links of this package: its jitter is drawn from tables that have no exponential
distribution, and reorders. Who reads a report has a right to know which of the two it was.
"""

import shutil
from itertools import count

from jamlab.networks.namespace import KernelLabError, own_prefix, remove, run

_serials = count()


def why_no_netem() -> str | None:
    """Return why there is no netem here, in a sentence, or None; asks the kernel, as root.

    Raises
    ------
    KernelLabError
        When there can be no namespace to try it in.
    """
    if shutil.which("tc") is None:
        return "tc not found: apt-get install -y iproute2"
    name = f"{own_prefix()}netem-{next(_serials)}"
    run("ip", "netns", "add", name)
    try:
        run("tc", "-netns", name, "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
    except KernelLabError:
        return "this kernel has no netem (its module sch_netem)"
    finally:
        remove([name])
    return None
