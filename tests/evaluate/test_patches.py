"""The papers' rules: labels, patches, votes and masks have the properties that their names promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from rtkaraoke.evaluate.patches import (
    alpha_masks,
    average_votes,
    cut_patches,
    ideal_binary_mask,
    mix_peaks,
    rescale,
    smooth_labels,
    theta_masks,
)

SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=8)
PROBABILITIES = arrays(np.float32, SHAPES, elements=st.floats(0, 1, width=32))
MAGNITUDES = st.integers(1, 6).flatmap(
    lambda n: st.tuples(*[arrays(np.float32, (n, 4), elements=st.floats(0, 10, width=32))] * 2)
)
ALPHAS = st.floats(0, 1)


@given(MAGNITUDES)
def test_ideal_binary_mask_is_one_where_the_voice_is_strictly_louder(parts: tuple[np.ndarray, np.ndarray]) -> None:
    voice, music = parts
    mask = ideal_binary_mask(voice, music)
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert ((mask == 1) == (voice > music)).all()
    assert not ideal_binary_mask(voice, voice).any()  # strictly
    assert not (mask * ideal_binary_mask(music, voice)).any()


@given(PROBABILITIES.map(np.round))
def test_smoothed_labels_are_002_and_098_and_round_back(labels: np.ndarray) -> None:
    smoothed = smooth_labels(labels)
    np.testing.assert_allclose(smoothed, np.where(labels == 1, 0.98, 0.02), atol=1e-6)
    np.testing.assert_array_equal(np.round(smoothed), labels)
    np.testing.assert_array_equal(smooth_labels(labels, 0.0), labels)
    np.testing.assert_allclose(smooth_labels(1 - labels), 1 - smoothed, atol=1e-6)


@given(st.integers(0, 30), st.integers(1, 9), st.integers(1, 9))
def test_patches_are_the_slices(n_total: int, n_frames: int, stride: int) -> None:
    frames = np.arange(3 * n_total, dtype=np.float32).reshape(n_total, 3)
    patches = cut_patches(frames, n_frames, stride)
    wanted = [frames[i : i + n_frames] for i in range(0, n_total - n_frames + 1, stride)]
    assert len(patches) == len(wanted)
    for patch, slice_ in zip(patches, wanted, strict=True):
        np.testing.assert_array_equal(patch, slice_)


@given(st.integers(1, 6), st.integers(1, 12), st.data())
def test_votes_are_averaged_over_the_patches_that_cover_a_frame(n_frames: int, n_patches: int, data: st.DataObject):
    look_ahead = data.draw(st.none() | st.integers(0, n_frames - 1))
    stride = data.draw(st.integers(1, n_frames if look_ahead is None else look_ahead + 1))
    patches = data.draw(arrays(np.float32, (n_patches, n_frames, 2), elements=st.floats(0, 1, width=32)))
    found = average_votes(patches, stride, look_ahead)
    for t in range((n_patches - 1) * stride + n_frames):
        votes = [
            patches[i, t - i * stride]
            for i in range(n_patches)
            if 0 <= t - i * stride < n_frames
            and (look_ahead is None or i == 0 or i * stride + n_frames - 1 - t <= look_ahead)
        ]
        np.testing.assert_allclose(found[t], np.mean(votes, axis=0), atol=1e-6)


@given(PROBABILITIES, st.integers(1, 8))
def test_votes_that_agree_are_the_answer(probability: np.ndarray, n_frames: int) -> None:
    patches = cut_patches(probability, min(n_frames, len(probability)))
    np.testing.assert_allclose(average_votes(patches), probability, atol=1e-6)


def test_a_stride_that_leaves_frames_without_a_vote_is_refused() -> None:
    with pytest.raises(ValueError, match="a stride of 4 with votes on 3"):
        average_votes(np.zeros((2, 3, 1), np.float32), 4)
    with pytest.raises(ValueError, match="a stride of 2 with votes on 1"):
        average_votes(np.zeros((2, 3, 1), np.float32), 2, look_ahead=0)


@given(PROBABILITIES)
def test_masks_at_one_half_are_complementary(probability: np.ndarray) -> None:
    masks = alpha_masks(probability, 0.5)
    decided = probability != 0.5
    np.testing.assert_array_equal((masks.voice + masks.music)[decided], 1)
    assert not (masks.voice + masks.music)[~decided].any()


@given(PROBABILITIES, ALPHAS)
def test_alpha_trades_bins_of_both_against_bins_of_neither(probability: np.ndarray, alpha: float) -> None:
    masks = alpha_masks(probability, alpha)
    total = masks.voice + masks.music
    assert total.max(initial=0) <= (1 if alpha >= 0.5 else 2)
    if alpha < 0.5:
        assert total.min(initial=2) >= 1
    for higher in (alpha + 0.1, 1.0):
        fewer = alpha_masks(probability, min(1.0, higher))
        assert (fewer.voice <= masks.voice).all()
        assert (fewer.music <= masks.music).all()
    # what the engine leaves as music at threshold 1 - alpha is the paper's music mask, but for equality
    engine_music = 1 - (probability > 1 - alpha)
    differs = engine_music != masks.music
    assert (np.abs(probability[differs] - (1 - alpha)) < 1e-6).all()


@given(PROBABILITIES, ALPHAS)
def test_theta_is_a_floor_under_soft_masks(probability: np.ndarray, theta: float) -> None:
    voice, music = theta_masks(probability, theta)
    for mask, soft in ((voice, probability), (music, 1 - probability)):
        assert ((mask == 0) | (mask == soft)).all()
        assert (mask[soft >= theta] == soft[soft >= theta]).all()
        assert not mask[soft < theta].any()


@given(PROBABILITIES)
def test_no_floor_leaves_soft_masks_that_add_up(probability: np.ndarray) -> None:
    voice, music = theta_masks(probability, 0.0)
    np.testing.assert_allclose(voice + music, 1, atol=1e-6)


@given(PROBABILITIES)
def test_rescaled_probabilities_fill_the_interval_in_the_same_order(probability: np.ndarray) -> None:
    found = rescale(probability)
    if probability.min() < probability.max():
        assert (found.min(), found.max()) == (0.0, 1.0)
    order = np.argsort(probability, axis=None)
    assert (np.diff(found.ravel()[order]) >= 0).all()


def test_stems_are_mixed_by_their_peaks() -> None:
    rng = np.random.default_rng(0)
    voices = [rng.standard_normal(50).astype(np.float32) for _ in range(2)]
    musics = [np.zeros(50, np.float32), 3 * voices[0]]
    voice, music = mix_peaks(voices, musics)
    np.testing.assert_allclose(voice, 0.25 * sum(v / np.abs(v).max() for v in voices), atol=1e-6)
    np.testing.assert_allclose(music, 0.25 * musics[1] / np.abs(musics[1]).max(), atol=1e-6)
    assert np.abs(voice + music).max() <= 1
