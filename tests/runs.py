"""What tests of the training commands share: runs under torchrun, runs that are killed, a disk that is full."""

import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import skulmfit
from skulmfit.models.registry import load_pretrained

WORDS = "time year people way day man thing woman life child world school state family student group".split()
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
KILLED_AS_IT_WRITES_ITS_SECOND_CHECKPOINT = """
import os, torch
from skulmfit.pretraining.cli import main
save, files = torch.save, []
def cut_short(state, file):
    files.append(file)
    if len(files) == 2:
        file.write(b"half a checkpoint")
        file.flush()
        os.kill(os.getpid(), 9)
    save(state, file)
torch.save = cut_short
main()
"""


def run(command):
    """What a command prints that imports the skulmfit under test: the installed one, or that of an unpacked sdist."""
    folders = [str(Path(skulmfit.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}
    here = Path(__file__).parent
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=here, env=environment).stdout


def same_weights(one, other):
    one, other = load_pretrained(one).weights, load_pretrained(other).weights
    assert one.keys() == other.keys()
    return all(np.array_equal(array, other[name]) for name, array in one.items())


@contextmanager
def nearly_full_disk():
    """Files cannot grow over 5,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
