"""Weights: what a network has learnt, as named NumPy arrays."""

import numpy as np
import torch

Weights = dict[str, np.ndarray]


def to_numpy(network: torch.nn.Module) -> Weights:
    """A network's state as arrays of its own."""
    return {name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()}


def load_numpy(network: torch.nn.Module, weights: Weights) -> None:
    """Give a network, which may be an empty one on the meta device, copies of arrays, which may be read-only."""
    state = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
    network.load_state_dict(state, assign=True)
