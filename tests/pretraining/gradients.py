"""Writes the gradients of the first three updates of a pretraining run: `gradients.py FOLDER OUTPUT BATCH_SIZE`."""

import sys
from pathlib import Path

import numpy as np

import skulmfit.pretraining.training as training
from skulmfit.nn import runtime
from skulmfit.pretraining.distributed import is_first_process
from skulmfit.training.loop import OptimizerSettings

gradients = {}


class Recording(OptimizerSettings):
    """Settings whose optimiser writes down the gradients it is given in three updates, and changes nothing."""

    def build(self, groups, stage):
        optimizer = super().build(groups, stage)
        optimizer.register_step_pre_hook(record)
        return optimizer


def record(optimizer, *_):
    """Keep the gradients as they are before an update; after the third, write all and end."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    update = len(gradients) // len(params)
    gradients.update({f"{update}/{index}": param.grad.numpy().copy() for index, param in enumerate(params)})
    if update == 2:
        if is_first_process():
            np.savez(sys.argv[2], **gradients)
        raise SystemExit


if __name__ == "__main__":  # doctest collection imports this file
    folder, output, batch_size = sys.argv[1:]
    training.OptimizerSettings = Recording
    runtime._has_fast_bfloat16 = lambda device: False  # float32 everywhere: else the rounding hides what is compared
    settings = training.PretrainingSettings(
        embedding_dim=8, hidden_dim=8, n_layers=1, bptt=20, batch_size=int(batch_size), clip=1e9
    )
    training.pretrain(Path(folder), settings, training.CheckpointSettings(Path(output).with_suffix(".checkpoint")))
