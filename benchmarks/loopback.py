"""The measured round trip beside the known truth and jack_iodelay's word, and what noise does to it.

    python benchmarks/loopback.py [--runs 3] [--trials 50] [--periods 128 ...] [--rates 44100 ...] [--quick]

On JACK's dummy driver, whose loopback is late by one period, at four periods and three rates; then on made-up
recordings in noise. Needs `jackd`, `jack_iodelay` and PortAudio, and no sound card. Writes ``results/loopback.json``.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from common import Cell, Table, parse, save
from scipy import fft

from rtkaraoke.bench.iodelay import jack_iodelay
from rtkaraoke.bench.jack import DEVICE, dummy_server
from rtkaraoke.dsp.probe import CalibrationError, Signal, find, make_probes
from rtkaraoke.live.calibrate import RoundTrip, measure
from rtkaraoke.live.settings import LiveSettings

RATE, WINDOW = 44_100, 22_050
ORDERS, SNRS_DB = (13, 14, 15, 16), (0, -10, -20, -30)
TRUTH_COLUMNS = {
    "rate Hz": "",
    "period": "",
    "truth": "",
    "rtkaraoke": ".3f",
    "±": ".3f",
    "jack_iodelay": ".3f",
    "away from the truth": "+z.3f",
    "away from jack_iodelay": "+z.3f",
}
NOISE_COLUMNS = {
    "SNR dB": "",
    "length s": ".2f",
    "probes": "",
    "right": "",
    "refused": "",
    "wrong": "",
    "error, RMS samples": ".3f",
    "largest": ".3f",
}


def truth(periods: Sequence[int], rates: Sequence[int], n_runs: int) -> Table:
    rows: list[list[Cell]] = []
    for rate in rates:
        for period in periods:
            with dummy_server(period, rate) as server:
                # In a process of its own: PortAudio must begin after the server and end before it.
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                    found = process.submit(round_trip, period, n_runs).result()
                judged = float(np.mean(jack_iodelay(server)))
            away = (found.device - period, found.device - judged)
            rows.append([rate, period, period, found.device, found.half_width, judged, *away])
            print(rows[-1], flush=True)
    note = (
        "The part of the devices, in samples: without prefill. *±*: half width of the 95 % interval. JACK's dummy "
        "driver gives back on its loopback what it was given one period ago, which is the truth."
    )
    return Table("truth", "Round trip of JACK's dummy driver", TRUTH_COLUMNS, rows, note)


def round_trip(period: int, n_runs: int) -> RoundTrip:
    settings = LiveSettings(
        input=DEVICE, output=DEVICE, channels_in=(1,), channels_out=(1,), block=period, prefill=max(2048, 2 * period)
    )
    return measure(settings, n_runs=n_runs)


def in_noise(n_trials: int) -> Table:
    rows: list[list[Cell]] = []
    random = np.random.default_rng(0)
    for snr_db in SNRS_DB:
        for order in ORDERS:
            errors, n_refused = [], 0
            for trial in range(n_trials):
                probe = make_probes(1, RATE, order, trial)[0]
                delay = float(random.uniform(0, 20_000))
                recorded = delayed(0.1 * probe, delay)
                level = float(np.sqrt(np.mean((0.1 * probe) ** 2))) * 10 ** (-snr_db / 20)
                recorded += random.normal(0, level, len(recorded)).astype(np.float32)
                # Noise at 30 dB above the probe would clip a card: this one has no limit.
                recorded *= np.float32(0.9 / max(float(np.abs(recorded).max()), 0.9))
                try:
                    errors.append(find(recorded, probe, RATE).delay - delay)
                except CalibrationError:
                    n_refused += 1
            away = np.abs(errors)
            n_wrong = int(np.count_nonzero(away > 0.5))
            spread: list[Cell] = [float(np.sqrt(np.mean(away**2))), float(away.max())] if errors else [None, None]
            length_s = (2**order - 1) / RATE
            rows.append([snr_db, length_s, n_trials, len(errors) - n_wrong, n_refused, n_wrong, *spread])
            print(rows[-1], flush=True)
    note = (
        "One probe in white noise, at 44.1 kHz; noise and probe by their power, both over the whole band. *Right*: "
        "within half a sample. A measurement has 15 probes, and its error is that much smaller."
    )
    return Table("noise", "The answer in noise", NOISE_COLUMNS, rows, note)


def delayed(signal: Signal, delay: float) -> Signal:
    n_samples = len(signal) + WINDOW
    size = fft.next_fast_len(2 * n_samples)
    turned = fft.rfft(signal.astype(np.float64), size) * np.exp(-2j * np.pi * fft.rfftfreq(size) * delay)
    return fft.irfft(turned, size)[:n_samples].astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="streams for a figure and its interval")
    parser.add_argument("--trials", type=int, default=50, help="in noise, of each kind")
    parser.add_argument("--periods", nargs="+", type=int, default=[128, 256, 512, 1024])
    parser.add_argument("--rates", nargs="+", type=int, default=[44_100, 48_000, 96_000])
    options = parse(parser, runs=1, trials=2, periods=[256], rates=[48_000])
    tables = [truth(options.periods, options.rates, options.runs), in_noise(options.trials)]
    for table in tables:
        print(f"\n{table.title}\n\n{table.markdown()}\n\n{table.note}")
    print(f"\nwrote {save('loopback', tables, runs=options.runs, trials=options.trials)}")


if __name__ == "__main__":
    main()
