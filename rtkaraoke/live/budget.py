"""The latency budget: a contract, checked before the first sample."""

from collections.abc import Mapping

from rtkaraoke.errors import LatencyBudgetError


def describe(terms: Mapping[str, int], sample_rate: int) -> str:
    """Every term in samples and ms, and the sum: ``vocal_remover 512 (11.6 ms) + prefill 256 (5.8 ms) = ...``."""
    total = sum(terms.values())
    parts = " + ".join(f"{name} {n} ({1e3 * n / sample_rate:.1f} ms)" for name, n in terms.items())
    return f"{parts} = {total} samples ({1e3 * total / sample_rate:.1f} ms)"


def check(terms: Mapping[str, int], sample_rate: int, budget_ms: float | None) -> None:
    """Refuse what does not fit.

    Parameters
    ----------
    terms : mapping
        Samples by name.
    sample_rate : int
        In Hz.
    budget_ms : float or None
        None for no limit.

    Raises
    ------
    LatencyBudgetError
        Naming every term.
    """
    total_ms = 1e3 * sum(terms.values()) / sample_rate
    if budget_ms is None or total_ms <= budget_ms:
        return
    raise LatencyBudgetError(
        f"the latency of {total_ms:.1f} ms does not fit the budget of {budget_ms:g} ms: "
        f"{describe(terms, sample_rate)}. Lower the prefill or the block, take a network with a shorter hop or no "
        f"look-ahead, or allow {total_ms:.1f} ms with --latency-budget"
    )
