"""The optimiser against singular values, AdamW and a problem that is badly scaled."""

import pytest
import torch
from torch import nn

from rtkaraoke.train.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (16, 64)])
def test_singular_values_come_to_about_one(shape):
    torch.manual_seed(0)
    singular = torch.linalg.svdvals(orthogonal(torch.randn(shape) * torch.logspace(-1, 1, shape[1])))
    assert singular.min() > 0.4
    assert singular.max() < 1.4


def test_vectors_move_as_adamw_moves_them():
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.arange(5.0)) for _ in range(2))
    optimisers = Muon([ours], lr=0.1), torch.optim.AdamW([theirs], lr=0.1, betas=(0.9, 0.99), eps=1e-10, weight_decay=0)
    for _ in range(20):
        grad = torch.randn(5)
        for parameter, optimiser in zip((ours, theirs), optimisers, strict=True):
            parameter.grad = grad.clone()
            optimiser.step()
    torch.testing.assert_close(ours, theirs)


def test_a_convolution_learns_what_gradients_hardly_show():
    torch.manual_seed(0)
    wanted, learning = nn.Conv1d(8, 8, 3), nn.Conv1d(8, 8, 3)
    scale = torch.logspace(-1.5, 0, 8)[:, None]  # the input's channels differ by 30 dB
    optimiser = Muon(learning.parameters(), lr=0.05, weight_decay=0.0)
    for step in range(300):
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - step / 300)
        x = torch.randn(16, 8, 20) * scale
        loss = (learning(x) - wanted(x)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (learning.weight - wanted.weight).abs().max() < 0.05


def test_it_resumes_from_its_state():
    torch.manual_seed(0)
    grads = torch.randn(6, 4, 4)
    runs = []
    for interrupted in (False, True):
        parameter = nn.Parameter(torch.ones(4, 4))
        optimiser = Muon([parameter], lr=0.1)
        for i, grad in enumerate(grads):
            if interrupted and i == 3:
                saved, optimiser = optimiser.state_dict(), Muon([parameter], lr=0.1)
                optimiser.load_state_dict(saved)
            parameter.grad = grad.clone()
            optimiser.step()
        runs.append(parameter)
    assert torch.equal(*runs)


def test_a_closure_is_refused():
    with pytest.raises(ValueError, match="takes no closure"):
        Muon([nn.Parameter(torch.ones(2))], lr=0.1).step(lambda: 0.0)
