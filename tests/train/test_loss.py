"""The loss is the negative SDR of both sources, and survives silence."""

import pytest

torch = pytest.importorskip("torch")

from rtkaraoke.train.loss import two_source_sdr_loss  # noqa: E402


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
