"""Programs that a test interrupts."""

import os


def environment() -> dict[str, str]:
    """This one's, without coverage in the child.

    Coverage holds a lock in every process that it measures, and a Ctrl-C that comes meanwhile leaves it locked: about
    one program in fifty that was interrupted in a busy loop then never ended.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS_")}
