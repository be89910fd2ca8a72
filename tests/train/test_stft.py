"""The torch twin is the streaming STFT."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtkaraoke.dsp.stft import StreamingStft  # noqa: E402
from rtkaraoke.geometry import StftGeometry  # noqa: E402
from rtkaraoke.train.stft import TorchStft  # noqa: E402

N_HOPS = 24


@pytest.mark.parametrize(
    "geometry",
    [StftGeometry(44_100, 2048, 256), StftGeometry(16_000, 512, 128), StftGeometry(44_100, 8192, 512, window=2048)],
)
def test_twin_equals_streaming_stft(geometry: StftGeometry) -> None:
    random = np.random.default_rng(3)
    hop = geometry.hop
    audio = random.uniform(-1, 1, (2, N_HOPS * hop)).astype(np.float32)
    masks = random.uniform(0, 1, (2, N_HOPS, geometry.n_bins)).astype(np.float32)
    twin = TorchStft(geometry)
    spectra = twin.spectrum(torch.from_numpy(audio))
    waveform = twin.waveform(spectra * torch.from_numpy(masks)).numpy()

    stft = StreamingStft(geometry, 2)
    spectrum = np.zeros((2, geometry.n_bins), np.complex64)
    hop_out = np.zeros((2, hop), np.float32)
    streamed = []
    for t in range(N_HOPS):
        stft.history[:, -hop:] = audio[:, t * hop : (t + 1) * hop]
        stft.analyse(spectrum)
        np.testing.assert_allclose(spectrum, spectra[:, t].numpy(), rtol=0, atol=1e-5 * np.abs(spectrum).max())
        stft.synthesise(spectrum, np.ascontiguousarray(masks[:, t]), hop_out)
        streamed.append(hop_out.copy())
    np.testing.assert_allclose(waveform, np.concatenate(streamed[1:], axis=1), rtol=0, atol=1e-5)


def test_a_mask_of_ones_gives_the_signal_back() -> None:
    twin = TorchStft(StftGeometry(44_100, 2048, 256))
    audio = torch.randn(3, 2, 20 * 256)
    restored = twin.waveform(twin.spectrum(audio))
    torch.testing.assert_close(restored, audio[..., : restored.shape[-1]], rtol=0, atol=1e-5)
