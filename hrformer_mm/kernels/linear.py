"""A projection with its LayerNorm, GELU and residual sum by Triton's kernels, as an operator that torch.compile and
torch.export know. For inference."""

from typing import Any, Optional

import torch
from torch import Tensor

from .support import DTYPES, LIBRARY, implement, power_of_two, product_options

PROGRAMS = 128  # that a launch should have: about one for each multiprocessor of the largest cards

LIBRARY.define('linear(Tensor x, Tensor weight, Tensor? bias, Tensor? norm_weight, Tensor? norm_bias, float eps, '
               'bool gelu, Tensor? residual) -> Tensor')


def triton_linear(x: Tensor, weight: Tensor, bias: Optional[Tensor] = None, norm_weight: Optional[Tensor] = None,
                  norm_bias: Optional[Tensor] = None, eps: float = 1e-6, gelu: bool = False,
                  residual: Optional[Tensor] = None) -> Tensor:
    """`residual + gelu(linear(layer_norm(x)))` in one kernel, each step of which may be left out.

    Norm, sums, GELU and residual sum are made in float32, and rounded once; what a norm gives is rounded to the dtype
    of x before the product. Products of float32 take TF32 where `torch.backends.cuda.matmul.allow_tf32` is set.

    Args:
        x (Tensor): (..., K), float32, float16 or bfloat16.
        weight (Tensor): (O, K), of the dtype of `x`.
        bias (Tensor, optional): (O,), of any floating dtype, as those of the norm.
        norm_weight (Tensor, optional): (K,), of a LayerNorm over the last dimension; without it there is no norm.
        norm_bias (Tensor, optional): (K,).
        eps (float): Added to the variance.
        gelu (bool): Whether the exact GELU follows.
        residual (Tensor, optional): (..., O), of the dtype of `x`.

    Returns:
        Tensor: (..., O).

    Raises:
        TypeError, ValueError: If dtypes or shapes do not go together, or the kernels are not made for them.
        RuntimeError: If a gradient is asked for.
    """
    if x.dtype not in DTYPES:
        raise TypeError(f"block backend 'triton': the dtype is {x.dtype}, but must be one of "
                        f"{', '.join(map(str, DTYPES))}; take 'torch'")
    if x.shape[-1] == 0:
        raise ValueError(f'x is {tuple(x.shape)}, without a channel')
    if norm_bias is not None and norm_weight is None:
        raise ValueError('norm_bias is given without norm_weight: give both, or no norm')
    channels, outputs = x.shape[-1:], weight.shape[:1]
    for name, tensor, shape in (('weight', weight, outputs + channels), ('bias', bias, outputs),
                                ('norm_weight', norm_weight, channels), ('norm_bias', norm_bias, channels),
                                ('residual', residual, x.shape[:-1] + outputs)):
        if tensor is not None and tensor.shape != shape:
            raise ValueError(f'{name} is {tuple(tensor.shape)}, but must be {tuple(shape)} for x of {tuple(x.shape)}')
        if name in ('weight', 'residual') and tensor is not None and tensor.dtype != x.dtype:
            raise TypeError(f'{name} is of {tensor.dtype}, but must be of {x.dtype}, as x is')
    return torch.ops.hrformer_mm.linear(x, weight, bias, norm_weight, norm_bias, eps, gelu, residual)


def tiles(rows: int, channels: int, outputs: int, dtype: torch.dtype, norm: bool) -> tuple[str, int, dict[str, Any]]:
    """The kernel for rows of so many channels, how many programs it has, and of which tiles; chosen by what the
    compiler reports, see docs/gpu.md."""
    whole = max(power_of_two(channels), 16)
    if dtype == torch.float32:  # without tensor cores, on operands in registers
        in_rows, height, columns, block = whole <= 32, 64, 64, 32
    elif whole <= 128:
        in_rows, height, columns, block = True, 128, 128, whole
    elif norm and whole <= 256:
        in_rows, height, columns, block = True, 64, 64, whole
    else:  # the norm is made anew for each block of outputs
        in_rows, height, columns, block = False, 64, 256 if norm else 128, 64
    block, columns = min(block, whole), min(columns, max(power_of_two(outputs), 16))
    # Smaller tiles where there would not be programs enough.
    while max(height, columns) > 32 and -(-rows // height) * -(-outputs // columns) < PROGRAMS:
        height, columns = (height, columns // 2) if columns > height else (height // 2, columns)
    parts, blocks = -(-rows // height), -(-outputs // columns)
    options = dict(ROWS=height, COLUMNS=columns, BLOCK=block, num_warps=4, num_stages=2)
    if not in_rows:
        return 'linear_in_parts', parts * blocks, options
    share = blocks
    while share > 1 and parts * -(-blocks // share) < PROGRAMS:
        share -= 1
    return 'linear_of_rows', parts * -(-blocks // share), dict(options, SHARE=share)


def _linear(x: Tensor, weight: Tensor, bias: Optional[Tensor], norm_weight: Optional[Tensor],
            norm_bias: Optional[Tensor], eps: float, gelu: bool, residual: Optional[Tensor]) -> Tensor:
    from . import linear_kernel
    outputs, channels = weight.shape
    out = x.new_empty(*x.shape[:-1], outputs)
    if not out.numel():
        return out
    rows = x.numel() // channels
    name, programs, options = tiles(rows, channels, outputs, x.dtype, norm_weight is not None)
    # A grid ends there, and so do the 32 bits in which places are counted within the weight and a block of rows.
    if max(programs, outputs * channels, outputs * options['ROWS']) >= 2**31:
        raise ValueError(f"block backend 'triton': {rows} rows of {outputs} outputs of {channels} channels are more "
                         "than one launch takes; take 'torch'")
    # All in the first axis of the grid: the others end at 65,535. In place of what is not there anything is given.
    x = x.contiguous()
    others = [x if t is None else t.contiguous() for t in (bias, norm_weight, norm_bias, residual)]
    with torch.cuda.device_of(x):
        getattr(linear_kernel, name)[(programs, )](
            x, weight.contiguous(), *others, out, rows, eps, K=channels, O=outputs, NORM=norm_weight is not None,
            NORM_BIAS=norm_bias is not None, BIAS=bias is not None, GELU=gelu, RESIDUAL=residual is not None,
            **options, **product_options(x))
    return out


implement('linear', _linear)


@torch.library.register_fake('hrformer_mm::linear')
def _(x: Tensor, weight: Tensor, *rest: Any):
    return x.new_empty(*x.shape[:-1], weight.shape[0])


def _refuse(ctx: Any, *grads: Tensor) -> None:
    raise RuntimeError("block backend 'triton' has no gradient of projections: take 'torch', or torch.no_grad()")


torch.library.register_autograd('hrformer_mm::linear', _refuse)
