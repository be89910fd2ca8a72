import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtkaraoke.bench.index_signal import Accounts, decode, encode


@given(start=st.integers(0, 44_100 * 3600 * 6), n_samples=st.integers(1, 3000))
def test_every_sample_says_its_number(start: int, n_samples: int) -> None:
    signal = encode(start, n_samples)
    assert signal.dtype == np.float32
    assert 0 < signal.min() <= signal.max() <= 0.25
    np.testing.assert_array_equal(decode(signal), np.arange(start, start + n_samples))


@given(cuts=st.lists(st.integers(1, 5000), max_size=6), latency=st.integers(0, 2000))
def test_an_intact_stream_is_flawless_however_it_is_cut(cuts: list[int], latency: int) -> None:
    received = np.concatenate([np.zeros((latency, 2), np.float32), encode(0, 8000)])
    accounts = Accounts()
    for part in np.split(received, sorted({min(cut, len(received)) for cut in np.cumsum(cuts)})):
        accounts.add(part)
    assert accounts.flawless
    assert accounts.latency == latency
    assert accounts.n_samples == 8000


def test_silence_in_place_of_samples_is_counted_and_keeps_the_latency() -> None:
    received = encode(0, 40_000)
    received[1000:1100] = 0
    accounts = Accounts()
    accounts.add(received)
    assert (accounts.silent, accounts.lost, accounts.repeated) == (100, 100, 0)
    assert accounts.latency == 0
    assert not accounts.flawless


def test_a_shift_shows_as_two_latencies() -> None:
    accounts = Accounts()
    accounts.add(encode(0, 1000))
    accounts.add(encode(900, 600))  # a hundred samples played twice
    assert accounts.repeated == 1
    assert accounts.latencies == {0: 1000, 100: 600}
    assert (accounts.latency, accounts.displaced, accounts.last_latency) == (0, 600, 100)
    assert not accounts.flawless


def test_a_gain_is_seen_as_altered() -> None:
    accounts = Accounts()
    accounts.add(encode(0, 10))
    accounts.add(encode(10, 10) * np.float32(0.999))
    assert accounts.altered == 10
