"""Real-time priority for the threads that must not wait, where the system lets us.

How late the worker wakes at either priority is measured in docs/realtime.md. JACK's clients run at 5, so everything
here stays below.

The threads of one Python process share one lock. A thread of normal priority that is put aside by a busy process
while it holds that lock keeps the worker waiting, whatever the worker's priority. So every thread of the engine
process is raised, the unimportant ones the least.
"""

import os
import sys

WORKER_PRIORITY = 3
NETWORK_PRIORITY = 2
CONTROL_PRIORITY = 1  #: everything else in the engine's process; threads inherit it

WAY_OUT = {
    "linux": (
        "To allow it, add the lines '@audio - rtprio 20' and '@audio - memlock unlimited' to "
        "/etc/security/limits.d/audio.conf, put yourself into the group audio and log in again, or install rtkit"
    ),
    "win32": "Windows runs it as an ordinary thread: close what else is busy",
    "darwin": "macOS runs it as an ordinary thread: close what else is busy",
}


def raise_priority(priority: int) -> bool:
    """Put the calling thread under SCHED_FIFO at ``priority``; False where that is not allowed or not known."""
    if sys.platform != "linux":
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        return False
    return True


def raise_network_priority() -> None:
    """For the mask thread: below the worker, above everything that is not sound."""
    raise_priority(NETWORK_PRIORITY)


def realtime_allowed() -> bool:
    """Whether :func:`raise_priority` would succeed; the calling thread ends as it was."""
    if sys.platform != "linux":
        return False
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    allowed = raise_priority(WORKER_PRIORITY)
    if allowed:
        os.sched_setscheduler(0, policy, parameters)
    return allowed


def refusal(prefill: int, sample_rate: int) -> str:
    """The one line for the user where real-time priority is not to be had."""
    way_out = WAY_OUT.get(sys.platform, "")
    return (
        f"No permission for real-time priority: {1e3 * prefill / sample_rate:.0f} ms of sound are queued instead, "
        f"and a busy machine may still cause gaps. {way_out}"
    )
