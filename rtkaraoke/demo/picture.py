"""Three spectrograms over one time axis, and the figures above them."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.errors import AudioFileError

LOWEST_HZ, HIGHEST_HZ = 70.0, 16_000.0
N_ROWS = 360  # of the logarithmic frequency axis
RANGE_DB = 70.0
N_FFT = 4096
MAX_COLUMNS = 1600
INK, PAPER, MUTED, LINE = "#f2efe9", "#14121a", "#a49fb0", "#37333f"
TICKS_HZ = (100, 200, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True, slots=True)
class Panel:
    """A sound to draw: mono ``(sample,)``."""

    title: str
    sound: NDArray[np.float32]


def draw(
    path: Path, panels: list[Panel], sample_rate: int, start_s: float, subtitle: str, figures: list[tuple[str, str]]
) -> None:
    """Write ``path`` (PNG): one spectrogram per panel on a common scale in dB, ``figures`` as label and value.

    ``start_s`` is where in the song the panels begin.

    Raises
    ------
    AudioFileError
        When the picture cannot be written.
    """
    # Matplotlib's objects, not pyplot: no display, no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.8, 10.2), facecolor=PAPER)
    FigureCanvasAgg(figure)
    figure.text(0.065, 0.962, "rtkaraoke", color=INK, fontsize=23, fontweight="bold", va="center")
    figure.text(0.945, 0.962, subtitle, color=MUTED, fontsize=12.5, va="center", ha="right")
    _write_figures(figure, figures)
    spectra = [log_spectrogram(panel.sound, sample_rate) for panel in panels]
    top_db = max(float(spectrum.max()) for spectrum in spectra)
    length_s = len(panels[0].sound) / sample_rate
    highest_hz = min(HIGHEST_HZ, sample_rate / 2)
    grid = figure.add_gridspec(len(panels), 1, left=0.065, right=0.905, top=0.845, bottom=0.058, hspace=0.16)
    axes = []
    for row, (panel, spectrum) in enumerate(zip(panels, spectra, strict=True)):
        axis = figure.add_subplot(grid[row])
        image = axis.imshow(
            spectrum - top_db,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=-RANGE_DB,
            vmax=0,
            interpolation="bilinear",
            extent=(start_s, start_s + length_s, 0, N_ROWS),
        )
        axis.set_facecolor(PAPER)
        axis.set_title(panel.title, loc="left", color=INK, fontsize=13, fontweight="bold", pad=5)
        ticks = [hz for hz in TICKS_HZ if hz < highest_hz]
        axis.set_yticks([float(N_ROWS * np.log(hz / LOWEST_HZ) / np.log(highest_hz / LOWEST_HZ)) for hz in ticks])
        axis.set_yticklabels([f"{hz // 1000} kHz" if hz >= 1000 else f"{hz} Hz" for hz in ticks])
        axis.tick_params(colors=MUTED, labelsize=9.5, length=3, labelbottom=row == len(panels) - 1)
        for spine in axis.spines.values():
            spine.set_color(LINE)
        axes.append(axis)
    axes[-1].set_xlabel("time in seconds", color=MUTED, fontsize=10.5)
    place = axes[-1].get_position(), axes[0].get_position()
    bar = figure.colorbar(
        image, cax=figure.add_axes((0.922, place[0].y0, 0.011, place[1].y1 - place[0].y0)), ticks=range(-70, 1, 10)
    )
    bar.outline.set_edgecolor(LINE)
    bar.ax.tick_params(colors=MUTED, labelsize=9.5, length=3)
    bar.ax.set_title("dB", color=MUTED, fontsize=10, pad=6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=125, facecolor=PAPER)
    try:
        path.write_bytes(buffer.getvalue())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise AudioFileError(f"{path}: cannot be written ({error.strerror}): free some space") from error


def _write_figures(figure: object, figures: list[tuple[str, str]]) -> None:
    """One column per figure, the value above its label."""
    width = (0.945 - 0.065) / max(1, len(figures))
    for i, (label, value) in enumerate(figures):
        x = 0.065 + i * width
        figure.text(x, 0.915, value, color=INK, fontsize=15.5, va="center")  # type: ignore[attr-defined]
        figure.text(x, 0.889, label, color=MUTED, fontsize=10.5, va="center")  # type: ignore[attr-defined]


def log_spectrogram(sound: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Levels in dB, ``(row, column)``, rows evenly spaced in the logarithm of the frequency."""
    n_fft = min(N_FFT, 1 << max(6, int(np.log2(max(64, N_FFT * sample_rate / 44_100)))))
    hop = max(n_fft // 8, len(sound) // MAX_COLUMNS)
    padded = np.pad(np.asarray(sound, np.float64), n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(n_fft), axis=1)) ** 2
    bins_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    highest_hz = min(HIGHEST_HZ, sample_rate / 2)
    edges_hz = np.geomspace(LOWEST_HZ, highest_hz, N_ROWS + 1)
    # A high row spans many bins: their sum, from the running total; a low one has its share of a single bin.
    total = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
    bin_edges_hz = np.append(bins_hz, bins_hz[-1]) - bins_hz[1] / 2
    bin_edges_hz[-1] = bins_hz[-1] + bins_hz[1] / 2
    below = np.stack([np.interp(edges_hz, bin_edges_hz, row) for row in total])
    density = np.diff(below, axis=1) / np.diff(edges_hz) * np.sqrt(edges_hz[:-1])  # pink noise is an even colour
    return np.asarray(10 * np.log10(np.maximum(density.T, 1e-12)))
