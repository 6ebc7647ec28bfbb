"""A batch of a training in shards of rows, each read by a thread of its own, forward and backward.

How a batch is divided follows from its size alone, every shard draws its dropout from a generator of its own, and
gradients are added in the order of the shards. So the number of threads changes no bit.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skulmfit.nn.encoder import Draw, Encoder
from skulmfit.nn.threads import map_in_threads

_LEAST_ROWS = 8  # of a shard: with fewer the products of a recurrent step are too thin to be worth a thread


@dataclass(frozen=True)
class Shard:
    """Some rows of a batch, and the dropout of their encoder."""

    rows: slice
    draw: Draw


ShardResult = tuple[Sequence[Tensor], Any]  # tensors to differentiate, and whatever else
Compute = Callable[[Shard], ShardResult]


def n_shards(n_rows: int) -> int:
    """How many shards a batch has: a power of two, about half of the square root of its rows.

    With the batch both grow, the number of threads that find work and the size of each one's products: 16 rows are 2
    shards of 8, 64 are 4 of 16, 256 are 8 of 32.
    """
    return max(1, 2 ** int(math.log2(max(n_rows, 1) / (_LEAST_ROWS / 2)) / 2))


def in_shards(compute: Compute, n_rows: int, encoder: Encoder, others: Iterable[Tensor] = ()) -> list[ShardResult]:
    """What a function gives of each shard of a batch, in their order.

    Its tensors can be differentiated once, with respect to the parameters of the encoder and to the `others`, in the
    same threads. On a GPU the whole batch is one shard, and draws from torch's random state.

    Parameters
    ----------
    compute : callable
        Of a `Shard`. Gives a sequence of tensors that depend on the parameters, and anything else.
    n_rows : int
        Of the batch.
    encoder : Encoder
        Its weights are dropped once for the whole batch.
    others : iterable of Tensor
        Further parameters that `compute` uses.
    """
    if encoder.embedding.device.type != "cpu":
        return [compute(Shard(slice(0, n_rows), encoder.draw()))]
    seeds = np.random.SeedSequence(int(torch.randint(2**62, ()))).spawn(1 + n_shards(n_rows))
    first, *rngs = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]
    draw = encoder.draw(first)
    leaves = [matrix.detach().requires_grad_(matrix.requires_grad) for matrix in draw.recurrent]
    bounds = np.linspace(0, n_rows, len(rngs) + 1).astype(int).tolist()
    shards = [Shard(slice(*ends), Draw(draw.words, leaves, rng)) for ends, rng in zip(zip(bounds, bounds[1:]), rngs)]
    inputs = [*zip(draw.recurrent, leaves), *((param, param) for param in [*encoder.parameters(), *others])]
    trained = [(tensor, leaf) for tensor, leaf in inputs if leaf.requires_grad]
    division = _Division(compute, shards, [leaf for _, leaf in trained])
    flat = iter(_InShards.apply(division, *[tensor for tensor, _ in trained]))
    return [([next(flat) for _ in tensors], extra) for tensors, extra in zip(division.outputs, division.extras)]


@dataclass
class _Division:
    """A batch in shards, and the graph of each between its forward and its backward pass."""

    compute: Compute
    shards: Sequence[Shard]
    leaves: Sequence[Tensor]
    outputs: list[Sequence[Tensor]] = field(default_factory=list)
    extras: list[Any] = field(default_factory=list)

    def forward(self) -> tuple[Tensor, ...]:
        """The tensors of all shards one after the other, without their graphs."""
        device = self.leaves[0].device.type
        dtype, enabled = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)

        def compute(shard: Shard) -> ShardResult:  # gradients and autocast are settings of a thread
            with torch.enable_grad(), torch.autocast(device, dtype=dtype, enabled=enabled, cache_enabled=False):
                return self.compute(shard)

        results = list(map_in_threads(compute, self.shards))
        self.outputs, self.extras = [list(tensors) for tensors, _ in results], [extra for _, extra in results]
        return tuple(tensor.detach() for tensors in self.outputs for tensor in tensors)

    def backward(self, grads: Sequence[Tensor]) -> list[Tensor | None]:
        """Gradients of the leaves, given those of the tensors."""
        flat = iter(grads)
        pairs = [[(tensor, next(flat)) for tensor in tensors] for tensors in self.outputs]
        self.outputs = []
        parts = list(map_in_threads(self._shard_gradients, pairs))
        return list(map_in_threads(_sum, zip(*parts)))

    def _shard_gradients(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Sequence[Tensor | None]:
        tensors, grads = zip(*[pair for pair in pairs if pair[0].requires_grad])
        return torch.autograd.grad(tensors, self.leaves, grads, allow_unused=True)


class _InShards(torch.autograd.Function):
    """The shards of a division as one operation on the parameters."""

    @staticmethod
    def forward(ctx: Any, division: _Division, *params: Tensor) -> tuple[Tensor, ...]:
        """The tensors of all shards."""
        ctx.division = division
        return division.forward()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the parameters."""
        return None, *ctx.division.backward(grads)


def _sum(parts: Sequence[Tensor | None]) -> Tensor | None:
    """Sum in order; None is the gradient of a parameter without influence. The parts stay as they are: some are one."""
    known = [part for part in parts if part is not None]
    if len(known) < 2:
        return known[0] if known else None
    total = known[0] + known[1]
    for part in known[2:]:
        total += part
    return total
