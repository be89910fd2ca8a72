"""Every loss is least for the truth, and survives silence; the SDR's is what it says."""

import pytest

torch = pytest.importorskip("torch")

from rtkaraoke.geometry import StftGeometry  # noqa: E402
from rtkaraoke.train.loss import (  # noqa: E402
    LOSSES,
    binary_mask_loss,
    combined_loss,
    compressed,
    magnitude_loss,
    multi_resolution_loss,
    two_source_sdr_loss,
)
from rtkaraoke.train.stft import TorchStft  # noqa: E402

STFT = TorchStft(StftGeometry(44_100, 2048, 256))
N_SAMPLES = 30 * 256


def sources(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Voice and music ``(2, 2, N_SAMPLES)``; each is silent in half of the first example, not in the same one."""
    voice, music = 0.1 * torch.randn(2, 2, 2, N_SAMPLES, generator=torch.Generator().manual_seed(seed))
    voice[0, :, : N_SAMPLES // 2] = 0.0
    music[0, :, N_SAMPLES // 2 :] = 0.0
    return voice, music


def test_loss_is_minus_the_mean_of_both_sdrs() -> None:
    voice, music = 0.1 * torch.randn(2, 1, 2, 8000)
    error = 0.02 * torch.randn(1, 2, 8000)

    def sdr(target: torch.Tensor) -> float:
        return float(10 * (target.square().sum() / error.square().sum()).log10())

    loss = two_source_sdr_loss(voice + error, voice, music, floor_db=-120.0)
    assert float(loss) == pytest.approx(-0.5 * (sdr(voice) + sdr(music)), abs=1e-2)


@pytest.mark.parametrize("silent", ["voice", "music", "both"])
def test_silent_sources_leave_loss_and_gradient_finite(silent: str) -> None:
    voice, music = 0.1 * torch.randn(2, 3, 2, 4000)
    if silent in ("voice", "both"):
        voice = torch.zeros_like(voice)
    if silent in ("music", "both"):
        music = torch.zeros_like(music)
    estimate = (0.3 * (voice + music)).requires_grad_()
    loss = two_source_sdr_loss(estimate, voice, music, n_segments=4)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(estimate.grad).all()


def test_a_perfect_estimate_is_bounded_by_the_floor() -> None:
    voice, music = 0.1 * torch.randn(2, 1, 2, 4000)
    assert -31.0 < float(two_source_sdr_loss(voice, voice, music)) < -20.0


def test_segments_of_equal_quality_change_nothing() -> None:
    voice, music, error = (torch.randn(2, 2, 1000).repeat(1, 1, 4) for _ in range(3))
    whole = two_source_sdr_loss(voice + 0.3 * error, voice, music)
    torch.testing.assert_close(two_source_sdr_loss(voice + 0.3 * error, voice, music, n_segments=4), whole)


def test_segments_hear_what_is_taken_while_the_singer_pauses() -> None:
    voice, music, error = torch.randn(3, 1, 2, 4000)
    voice[..., 2000:] = 0.0

    def gain(n_segments: int) -> float:
        """What it is worth to halve the error in the pause, in dB."""
        losses = [
            two_source_sdr_loss(
                voice + error * torch.where(torch.arange(4000) < 2000, 1.0, pause), voice, music, n_segments
            )
            for pause in (0.2, 0.1)
        ]
        return float(losses[0] - losses[1])

    assert gain(1) < 0.2
    assert gain(4) > 1.0


@pytest.mark.parametrize("silent", ["nothing", "voice", "music", "both"])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_and_its_gradient_are_finite(name: str, silent: str) -> None:
    voice, music = sources()
    voice = 0 * voice if silent in ("voice", "both") else voice
    music = 0 * music if silent in ("music", "both") else music
    mixture = STFT.spectrum(voice + music)
    logits = torch.randn(mixture.shape, generator=torch.Generator().manual_seed(1), requires_grad=True)
    loss = combined_loss({name: 1.0}, STFT, logits, mixture, voice, music, n_segments=3)
    loss.backward()
    assert loss.ndim == 0
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.any() or (silent == "both" and not name.startswith("ibm"))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_ideal_binary_mask_has_the_least_cross_entropy(weighted: bool) -> None:
    voice, mixture = STFT.spectrum(sources()[0]), STFT.spectrum(sum(sources()))
    ideal = torch.where(voice.abs() > (mixture - voice).abs(), 20.0, -20.0)
    assert float(binary_mask_loss(ideal, mixture, voice, weighted)) < 1e-6
    undecided = float(binary_mask_loss(0 * ideal, mixture, voice, weighted))
    assert undecided == pytest.approx(0.6931, abs=1e-3)
    loud = mixture.abs() > mixture.abs().median()
    wrong = [
        float(binary_mask_loss(torch.where(part, -ideal, ideal), mixture, voice, weighted)) for part in (loud, ~loud)
    ]
    assert (wrong[0] > 1.3 * wrong[1]) == weighted


@pytest.mark.parametrize("name", ["magnitude", "multi_resolution", "sdr"])
def test_the_true_voice_has_the_least_loss(name: str) -> None:
    voice, music = sources()

    def loss(estimate: torch.Tensor) -> float:
        if name == "magnitude":
            return float(magnitude_loss(*(STFT.spectrum(signal) for signal in (estimate, voice, voice + music))))
        return float(
            (multi_resolution_loss if name == "multi_resolution" else two_source_sdr_loss)(estimate, voice, music)
        )

    error = 0.05 * sources(seed=1)[0]
    worse = [loss(voice + size * error) for size in (0.0, 0.1, 1.0, 10.0)]
    assert worse == sorted(worse)
    assert worse[3] > worse[0] + 0.1
    if name != "sdr":
        assert worse[0] == pytest.approx(0.0, abs=1e-6)
        assert loss(voice + music) > 0.2
        assert loss(0 * voice) > 0.2


@pytest.mark.parametrize("name", [name for name in LOSSES if not name.startswith("ibm")])
def test_the_level_of_an_example_hardly_matters(name: str) -> None:
    voice, music = sources(seed=2)
    logits = torch.randn(2, 2, 30, 1025, generator=torch.Generator().manual_seed(1))

    def loss(gain: float) -> float:
        mixture = STFT.spectrum(gain * (voice + music))
        return float(combined_loss({name: 1.0}, STFT, logits, mixture, gain * voice, gain * music))

    assert loss(0.5) == pytest.approx(loss(1.0), rel=0.03)


def test_magnitudes_are_compressed_to_their_root() -> None:
    assert compressed(torch.tensor([30 + 40j])).item() == pytest.approx(50**0.5, rel=1e-4)


def test_losses_add_up_by_their_weights() -> None:
    voice, music = sources()
    mixture = STFT.spectrum(voice + music)
    logits = torch.randn(mixture.shape, generator=torch.Generator().manual_seed(1))

    def loss(**weights: float) -> float:
        return float(combined_loss(weights, STFT, logits, mixture, voice, music, n_segments=2))

    assert loss(sdr=1, ibm=0.5, magnitude=2) == pytest.approx(
        loss(sdr=1) + 0.5 * loss(ibm=1) + 2 * loss(magnitude=1), rel=1e-5
    )
    assert loss(sdr=1, ibm=0) == pytest.approx(loss(sdr=1))
    estimate = STFT.waveform(mixture * torch.sigmoid(logits))
    n_samples = estimate.shape[-1]
    direct = two_source_sdr_loss(estimate, voice[..., :n_samples], music[..., :n_samples], 2)
    assert loss(sdr=1) == pytest.approx(float(direct))
