"""The live path on a JACK dummy beside two busy processes, every sample accounted for."""

import shutil

import pytest

from rtkaraoke.bench.soak import soak
from rtkaraoke.errors import LiveError

PERIOD = 128


@pytest.mark.jack
@pytest.mark.slow
@pytest.mark.parametrize(("prefill", "latency"), [(512, 1152), (256, 896)])
def test_the_latency_is_as_declared_and_every_lost_sample_is_counted(prefill: int, latency: int) -> None:
    if shutil.which("jackd") is None:
        pytest.skip("no jackd: apt-get install --no-install-recommends jackd2 libportaudio2")
    result = soak(seconds=10, period=PERIOD, prefill=prefill, model="centre", hogs=2)
    accounts = result.came_back
    assert accounts.n_samples > 9 * 44_100
    assert accounts.altered == 0
    if not result.status.realtime:
        pytest.skip("no permission for real-time priority: the prefill is another, and two busy processes win")
    assert result.status.latency == latency
    assert result.latency == latency
    server_xruns = sum(count for name, count in result.status.xruns.items() if name.startswith("device"))
    if server_xruns or not result.sent.flawless:
        return  # an overloaded sound server repeats and skips whole periods itself: ours cannot be told from its own
    assert accounts.silent <= result.status.xruns["silent_output"]  # which began to count before us
    assert accounts.last_latency is not None
    assert result.sent.latency is not None
    assert accounts.last_latency - result.sent.latency == latency


def test_without_a_server_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(LiveError, match=r"apt-get install .*jackd2"):
        soak(seconds=1)
