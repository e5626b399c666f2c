"""What all Triton kernels share: where they run, in which dtypes, and how PyTorch knows them."""

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any, Optional

import torch
from torch import Tensor

CAPABILITY = (8, 0)  # the oldest cards that Triton's products of 16 bit are made for
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
LIBRARY = torch.library.Library('hrformer_mm', 'FRAGMENT')


def available() -> bool:
    """Whether triton is installed."""
    return importlib.util.find_spec('triton') is not None


_usable: dict[torch.device, bool] = {}


@torch.compiler.assume_constant_result
def usable(device: torch.device) -> bool:
    """Whether a device runs the kernels; why it does not is said once."""
    if device not in _usable:
        reason = _unusable(device)
        _usable[device] = reason is None
        if reason is not None:
            warnings.warn(f"hrformer_mm: PyTorch's operators take the place of Triton's kernels: {reason}")
    return _usable[device]


def _unusable(device: torch.device) -> Optional[str]:
    if not available():
        return 'triton is not installed (pip install triton)'
    if device.type == 'cuda' and torch.cuda.get_device_capability(device) < CAPABILITY:
        own = torch.cuda.get_device_capability(device)
        return f'{device} has compute capability {own}, and {CAPABILITY} is needed'
    if device.type != 'cuda' and not interpreted():
        return (f"they need CUDA, and the device is '{device}' (on the CPU triton's interpreter runs them, slowly: set "
                'the environment variable TRITON_INTERPRET=1 before Python starts)')
    return None


def interpreted() -> bool:
    """Whether the kernels run in Triton's interpreter, which takes tensors on the CPU."""
    from triton.runtime.interpreter import InterpretedFunction

    from .attention_forward import forward
    return isinstance(forward, InterpretedFunction)


def power_of_two(x: int) -> int:
    """The smallest that is not below `x`."""
    return 1 << (x - 1).bit_length()


def product_options(x: Tensor) -> dict[str, Any]:
    """Of a kernel with matrix products of maps such as `x`: the dtype they are of, and how exact those of float32 are."""
    import triton.language as tl

    # The interpreter computes with bfloat16 as if it were integers, but converts it correctly.
    dot = {torch.float32: tl.float32, torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}[x.dtype]
    return dict(DOT=tl.float32 if x.device.type == 'cpu' else dot,
                PRECISION='tf32' if torch.backends.cuda.matmul.allow_tf32 else 'ieee')


def implement(name: str, function: Callable[..., Any]) -> None:
    """Make a function an operator's implementation on CUDA, and in the interpreter."""
    for device in ('CUDA', 'CPU'):
        LIBRARY.impl(name, function, device)
