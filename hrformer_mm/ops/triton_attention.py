"""Window attention by Triton's kernels, as operators that autograd, torch.compile and torch.export know."""

import importlib.util
import math
import warnings
from typing import Any, Optional

import torch
from torch import Tensor

from .windows import Padding

CAPABILITY = (8, 0)  # the oldest cards that Triton's products of 16 bit are made for
MAX_HEAD = 64  # channels; more would not leave a program's tiles in registers
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
# Programs that share the sums of the bias' gradient: some for every multiprocessor of the largest cards, and no more,
# since each writes sums of its own. It is no property of the card, so that the gradients are not one either.
PROGRAMS = 1024

_SETTINGS = 'int num_heads, int[] window_size, SymInt[] padding, bool mask_padding, float scale'
_library = torch.library.Library('hrformer_mm', 'FRAGMENT')
_library.define(f'window_attention(Tensor qkv, Tensor padding_value, Tensor? bias, {_SETTINGS}) -> (Tensor, Tensor)')
_library.define('window_attention_backward(Tensor grad, Tensor qkv, Tensor padding_value, Tensor? bias, Tensor out, '
                f'Tensor lse, {_SETTINGS}) -> (Tensor, Tensor, Tensor)')


def triton_attention(qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], num_heads: int,
                     window_size: tuple[int, int], padding: Padding, mask_padding: bool, scale: float) -> Tensor:
    """:func:`hrformer_mm.ops.window_attention` in one kernel, which reads and writes the maps where they lie.

    The softmax, and all sums, are made in float32; products of float32 take TF32 where
    `torch.backends.cuda.matmul.allow_tf32` is set. The gradients are the same at every call with the same inputs.

    Args:
        qkv (Tensor): (N, H, W, 3 * C), float32, float16 or bfloat16.
        padding_value (Tensor): (3 * C,), of any floating dtype, as `bias`.
        bias (Tensor, optional): (num_heads, L, L).

    Returns:
        Tensor: (N, H, W, C).

    Raises:
        ValueError: If the kernels are not made for the dtype or the size of the heads.
        RuntimeError: If they cannot run on the device.
    """
    problem = unsupported(qkv, num_heads, window_size)
    if problem is not None:
        raise ValueError(f"attention backend 'triton': {problem}; take 'auto'")
    if not qkv.is_cuda and not torch.compiler.is_compiling() and not interpreted():
        raise RuntimeError("attention backend 'triton' needs CUDA, and on the CPU the interpreter of triton: set the "
                           "environment variable TRITON_INTERPRET=1 before Python starts, or take 'auto'")
    return torch.ops.hrformer_mm.window_attention(qkv, padding_value, bias, num_heads, window_size, padding,
                                                  mask_padding, scale)[0]


def unsupported(qkv: Tensor, num_heads: int, window_size: tuple[int, int]) -> Optional[str]:
    """Why the kernels are not made for such projections, or None."""
    size = qkv.shape[3] // (3 * num_heads)
    if qkv.dtype not in DTYPES:
        return f"the dtype is {qkv.dtype}, but must be one of {', '.join(map(str, DTYPES))}"
    if size > MAX_HEAD:
        return f'heads have {size} channels, but at most {MAX_HEAD} are possible'
    if window_size[0] * qkv.shape[2] * qkv.shape[3] >= 2**31:
        return f'a row of windows of the map, {tuple(qkv.shape)}, has 2**31 elements or more'
    return None


def available() -> bool:
    """Whether triton is installed."""
    return importlib.util.find_spec('triton') is not None


_usable: dict[int, bool] = {}


@torch.compiler.assume_constant_result
def usable(device: int) -> bool:
    """Whether a card, by its index, runs the kernels; why it does not is said once."""
    if device not in _usable:
        capability = torch.cuda.get_device_capability(device)
        reason = None
        if not available():
            reason = 'triton is not installed'
        elif capability < CAPABILITY:
            reason = f'cuda:{device} has compute capability {capability}, and {CAPABILITY} is needed'
        _usable[device] = reason is None
        if reason is not None:
            warnings.warn(f"hrformer_mm: window attention takes the backend 'fused', not 'triton': {reason}")
    return _usable[device]


def interpreted() -> bool:
    """Whether the kernels run in Triton's interpreter, which takes tensors on the CPU."""
    if not available():
        return False
    from triton.runtime.interpreter import InterpretedFunction

    from .triton_forward import forward
    return isinstance(forward, InterpretedFunction)


class _Launch:
    """What the kernels of a call have in common."""

    def __init__(self, qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], num_heads: int,
                 window_size: list[int], padding: list[int], mask_padding: bool, scale: float) -> None:
        n, height, width, channels = qkv.shape
        top, bottom, left, right = padding
        rows, columns = (height + top + bottom) // window_size[0], (width + left + right) // window_size[1]
        self.inputs = qkv.contiguous(), padding_value.contiguous(), None if bias is None else bias.contiguous()
        self.windows, self.heads, self.places = n * rows * columns, num_heads, math.prod(window_size)
        self.sizes = height, width, top, left, rows, columns
        self.scale = scale
        full = qkv.dtype == torch.float32
        # A tile of 64 places holds a window of 7x7 or 8x8. Products of float32 run without tensor cores, on operands in
        # registers, where tiles of 64 do not fit.
        self.block = min(max(_power_of_two(self.places), 16), 32 if full else 64)
        self.blocks = -(-self.places // self.block)
        self.with_bias, self.fill = bias is not None, any(padding) and not mask_padding
        size = channels // (3 * num_heads)
        import triton.language as tl

        # The interpreter computes with bfloat16 as if it were integers, but converts it correctly.
        dot = {torch.float32: tl.float32, torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}[qkv.dtype]
        self.options: dict[str, Any] = dict(
            HEADS=num_heads, D=size, WH=window_size[0], WW=window_size[1], HAS_BIAS=self.with_bias, FILL=self.fill,
            MASK=mask_padding and any(padding), BLOCK=self.block, BLOCK_D=max(_power_of_two(size), 16),
            DOT=tl.float32 if qkv.device.type == 'cpu' else dot,
            PRECISION='tf32' if torch.backends.cuda.matmul.allow_tf32 else 'ieee', num_warps=8 if self.block == 64 else 4, num_stages=1)

    def __call__(self, kernel: Any, programs: int, *arguments: Any) -> None:
        if programs:
            # A kernel without a bias is given anything in its place.
            qkv, value, bias = self.inputs
            with torch.cuda.device_of(qkv):
                kernel[(programs, )](qkv, value, qkv if bias is None else bias, *arguments, self.scale, **self.options)

    def groups(self, tiles: int) -> tuple[int, int]:
        """Into how many groups windows are divided where so many programs work on each, and how many are in one."""
        share = -(-self.windows // max(PROGRAMS // (self.heads * tiles), 1))
        return -(-self.windows // max(share, 1)), share


def _power_of_two(x: int) -> int:
    return 1 << (x - 1).bit_length()


def _forward(qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], *settings: Any) -> tuple[Tensor, Tensor]:
    from .triton_forward import forward
    launch = _Launch(qkv, padding_value, bias, *settings)
    out, lse = _outputs(qkv, launch.heads)
    launch(forward, launch.windows * launch.blocks * launch.heads, out, lse, *launch.sizes)
    return out, lse


def _backward(grad: Tensor, qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], out: Tensor, lse: Tensor,
              *settings: Any) -> tuple[Tensor, Tensor, Tensor]:
    from .triton_backward import backward_bias, backward_keys, backward_queries, backward_whole
    launch = _Launch(qkv, padding_value, bias, *settings)
    grad = grad.contiguous()
    grad_qkv = torch.empty(qkv.shape, dtype=qkv.dtype, device=qkv.device)
    blocks, pairs, channels = launch.blocks, launch.windows * launch.blocks, qkv.shape[3] // 3
    groups, share = launch.groups(blocks**2)
    sums_bias = lse.new_empty(groups if launch.with_bias else 0, launch.heads, launch.places, launch.places)
    sums_value = lse.new_empty((groups if blocks == 1 else pairs) if launch.fill else 0, 2 * channels)
    if blocks == 1:
        launch(backward_whole, groups * launch.heads, lse, grad, grad_qkv, sums_value, sums_bias, *launch.sizes,
               launch.windows, share)
    else:
        delta = torch.empty_like(lse)
        launch(backward_queries, pairs * launch.heads, lse, out, grad, grad_qkv, delta, *launch.sizes)
        launch(backward_keys, pairs * launch.heads, lse, delta, grad, grad_qkv, sums_value, *launch.sizes)
        if launch.with_bias:
            launch(backward_bias, groups * launch.heads * blocks**2, lse, delta, grad, sums_bias, *launch.sizes,
                   launch.windows, share)
    grad_value = torch.zeros_like(padding_value)
    if launch.fill:
        grad_value[channels:] = sums_value.sum(0)
    grad_bias = lse.new_empty(0) if bias is None else sums_bias.sum(0).to(bias.dtype)
    return grad_qkv, grad_value, grad_bias


def _outputs(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    n, h, w, c = qkv.shape
    return qkv.new_empty(n, h, w, c // 3), qkv.new_empty(n, h, w, heads, dtype=torch.float32)


for _name, _function in (('window_attention', _forward), ('window_attention_backward', _backward)):
    _library.impl(_name, _function, 'CUDA')
    _library.impl(_name, _function, 'CPU')  # in the interpreter


@torch.library.register_fake('hrformer_mm::window_attention')
def _(qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], num_heads: int, *settings: Any):
    return _outputs(qkv, num_heads)


@torch.library.register_fake('hrformer_mm::window_attention_backward')
def _(grad: Tensor, qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], *rest: Any):
    grad_bias = qkv.new_empty(0, dtype=torch.float32) if bias is None else bias.new_empty(bias.shape)
    return qkv.new_empty(qkv.shape), torch.empty_like(padding_value), grad_bias


def _setup(ctx: Any, inputs: tuple, output: tuple[Tensor, Tensor]) -> None:
    qkv, padding_value, bias, *ctx.settings = inputs
    ctx.save_for_backward(qkv, padding_value, bias, *output)
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, grad: Tensor, _: None) -> tuple[Optional[Tensor], ...]:
    saved = ctx.saved_tensors  # checkpointing gives them once
    grads = torch.ops.hrformer_mm.window_attention_backward(grad, *saved, *ctx.settings)
    return *grads[:2], None if saved[2] is None else grads[2], *(None for _ in ctx.settings)


def _refuse(ctx: Any, *grads: Tensor) -> None:
    raise RuntimeError("attention backend 'triton' has no second derivative: take 'plain'")


torch.library.register_autograd('hrformer_mm::window_attention', _differentiate, setup_context=_setup)
torch.library.register_autograd('hrformer_mm::window_attention_backward', _refuse)
