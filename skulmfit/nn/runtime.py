"""Where and how tensors are computed: device, precision, random state."""

import ctypes
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from threading import RLock

import numpy as np
import torch

from skulmfit.nn.threads import n_threads

_random_state = RLock()


def _begin_child() -> None:
    """In a forked process nobody has the lock: the thread of its parent that may have had it is not there."""
    global _random_state
    _random_state = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)


@dataclass(frozen=True)
class Runtime:
    """Device and precision of one training or inference."""

    device: torch.device
    training_dtype: torch.dtype
    reading_dtype: torch.dtype = torch.float32  # of an encoder that is not trained

    @classmethod
    def resolve(cls, device: str = "auto", precision: str = "float32") -> "Runtime":
        """A device by name; "auto" takes the accelerator where there is one.

        With a precision of "bfloat16" encoders read in it, where the device computes it fast.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        resolved = torch.device(device)
        fast = torch.bfloat16 if _has_fast_bfloat16(resolved) else torch.float32
        return cls(resolved, fast, fast if precision == "bfloat16" else torch.float32)

    def description(self) -> str:
        """The hardware, in words, for a model card."""
        name = (
            torch.cuda.get_device_name(self.device)
            if self.device.type == "cuda"
            else f"{n_threads()} threads of {platform.machine()}"
        )
        return f"{name}, torch {torch.__version__}"

    def tensor(self, ids: np.ndarray) -> torch.Tensor:
        """Ids or indices as an int64 tensor on the device. Nothing waits for a GPU."""
        tensor = torch.from_numpy(ids.astype(np.int64))
        return (
            tensor.pin_memory().to(self.device, non_blocking=True)
            if self.device.type == "cuda"
            else tensor.to(self.device)
        )

    def autocast(self) -> torch.autocast:
        """Context in which training computes matrix products in `training_dtype`."""
        enabled = self.training_dtype != torch.float32
        return torch.autocast(self.device.type, dtype=self.training_dtype, enabled=enabled)

    def autocast_reading(self) -> torch.autocast:
        """Context in which an encoder that is not trained computes in `reading_dtype`."""
        return torch.autocast(
            self.device.type, dtype=self.reading_dtype, enabled=self.reading_dtype != torch.float32, cache_enabled=False
        )

    @contextmanager
    def without_cudnn_warning(self) -> Iterator[None]:
        """Context without cuDNN's warning that it copies weights together: weight drop makes new ones anyway."""
        with warnings.catch_warnings() if self.device.type == "cuda" else nullcontext():
            if self.device.type == "cuda":
                warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
            yield

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Seed torch inside, and leave the process's own random state as it was.

        Torch has one random state for all threads of a process. Threads that want to seed it wait for each other.
        """
        with _random_state:
            before = self.rng_state()
            torch.default_generator.manual_seed(seed)
            if self.device.type == "cuda":
                with torch.cuda.device(self.device):
                    torch.cuda.manual_seed(seed)
            try:
                yield
            finally:
                self.set_rng_state(before)

    def rng_state(self) -> list[torch.Tensor]:
        """Torch's random state: of the CPU, and of the GPU where that is the device."""
        return [torch.get_rng_state()] + ([torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else [])

    def set_rng_state(self, state: list[torch.Tensor]) -> None:
        """Set what `rng_state` gave."""
        torch.set_rng_state(state[0])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state[1], self.device)


def release_free_memory() -> None:
    """Give freed memory back to the system, where the C library has a call for it.

    glibc before 2.38 does not reuse freed aligned blocks for requests of another size: with batches of varying length
    a process grows by some 15 MB per update of the English model, to the end of memory. Other platforms need no call.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if malloc_trim is not None:
        malloc_trim(0)


def _has_fast_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are computed by the hardware; elsewhere they are slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and _cpu_has_bfloat16()


def _cpu_has_bfloat16() -> bool:
    """Whether the processor computes products in bfloat16.

    Torch has no public query. Where its private ones are missing, float32 is always right.
    """
    queries = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, query, lambda: False)() for query in queries)


def check_device(device: str) -> None:
    """Raise unless tensors can be made on the device.

    Raises
    ------
    ValueError
    """
    try:
        usable = torch.empty(1, device=Runtime.resolve(device).device).device.type != "meta"
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} is not 'auto' or a device of this machine. Give 'auto' or one of "
            f"{', '.join(map(repr, _devices()))}. ({str(error)[:80]})"
        ) from error
    if not usable:
        raise ValueError(f"device={device!r} holds no values; give 'auto', 'cpu' or 'cuda'.")


def _devices() -> list[str]:
    """Names of the devices of this machine."""
    return ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
