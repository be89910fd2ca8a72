"""An optimiser that moves every weight matrix as far in all its directions.

Muon (K. Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) for matrices, a convolution's weight being one
of ``(output, everything else)``; AdamW for biases and scales. PyTorch's own Muon takes no convolutions.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic whose iteration brings singular values to about one
ITERATIONS = 5
BETAS = (0.9, 0.99)
EPSILON = 1e-10


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix ``(row, column)`` with all singular values about one, by Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


class Muon(Optimizer):
    """Muon for parameters of two axes and more, AdamW for the others, at one learning rate.

    The update of a matrix is scaled to the root mean square that AdamW's has (0.2, Moonlight, arXiv:2502.16982).

    Parameters
    ----------
    params : iterable of Parameter
    lr : float
    weight_decay : float
        Decoupled, of matrices only.
    momentum : float
        Of the gradients of matrices, in Nesterov's form.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, weight_decay: float = 0.01, momentum: float = 0.95
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        if closure is not None:
            raise ValueError("Muon takes no closure: compute the gradients, then call step()")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state, grad = self.state[parameter], parameter.grad
                update = _matrix(parameter, grad, state, group) if parameter.ndim > 1 else _vector(grad, state)
                parameter.add_(update, alpha=-group["lr"])


def _matrix(parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    if not state:
        state["momentum"] = torch.zeros_like(parameter)
    mean = state["momentum"].lerp_(grad, 1 - group["momentum"])
    direction = grad.lerp(mean, group["momentum"]).flatten(1)
    parameter.mul_(1 - group["lr"] * group["weight_decay"])
    return (0.2 * max(direction.shape) ** 0.5 * orthogonal(direction)).view_as(parameter)


def _vector(grad: Tensor, state: dict[str, Any]) -> Tensor:
    if not state:
        state.update(step=torch.zeros(()), mean=torch.zeros_like(grad), square=torch.zeros_like(grad))
    state["step"] += 1
    mean = state["mean"].lerp_(grad, 1 - BETAS[0])
    square = state["square"].lerp_(grad.square(), 1 - BETAS[1])
    n = int(state["step"])
    return (mean / (1 - BETAS[0] ** n)) / ((square / (1 - BETAS[1] ** n)).sqrt() + EPSILON)
