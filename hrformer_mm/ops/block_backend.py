"""How norms, projections, GELUs and convolutions of blocks, and the sums of streams, are computed."""

from torch import Tensor

from ..kernels import DTYPES, usable
from . import attention
from .environment import backend_of

BACKENDS = ('auto', 'torch', 'triton')
_backend = backend_of('HRFORMER_MM_BLOCK_BACKEND', BACKENDS)


def set_block_backend(name: str) -> str:
    """Choose how blocks compute all but attention, for which there is :func:`set_attention_backend`.

    The environment variable HRFORMER_MM_BLOCK_BACKEND does so for a process that is to be started.

    Args:
        name (str): 'torch': PyTorch's operators, one after the other. 'triton': kernels in which norms, GELUs and
            sums go along with the convolutions and projections, and the sums of streams of different resolution are one
            kernel; they have not run on a GPU yet. 'torch' takes their place, which is said once, without triton, on the
            CPU and on cards that are too old. 'auto': 'torch'.

    Returns:
        str: The backend that was in force before, to set it back.

    Raises:
        ValueError: If there is no such backend.
    """
    global _backend
    if name not in BACKENDS:
        raise ValueError(f"block backend is {name!r}, but must be one of {', '.join(BACKENDS)}")
    previous, _backend = _backend, name
    return previous


def backends() -> tuple[str, str]:
    """The names of the backends in force, of attention and of blocks."""
    return attention._backend, _backend


def by_kernels(x: Tensor) -> bool:
    """Whether the kernels are asked for, and made for a map such as `x`."""
    return _backend == 'triton' and x.dtype in DTYPES and usable(x.device)
