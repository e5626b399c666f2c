"""Window attention by Triton's kernels, as operators that autograd, torch.compile and torch.export know."""

import math
from typing import Any, Optional

import torch
from torch import Tensor

from .support import DTYPES, LIBRARY, implement, power_of_two, product_options

MAX_HEAD = 64  # channels; more would not leave a program's tiles in registers
# Programs that share the sums of the bias' gradient: some for every multiprocessor of the largest cards, and no more,
# since each writes sums of its own; one for each where the sums of a program are as many as its cache holds. It is no
# property of the card, so that the gradients are not one either.
PROGRAMS, PROGRAMS_OF_LARGE_WINDOWS = 1024, 128
SHARED = 2**17 + 2**16  # bytes for a program that holds all queries of a large window: Hopper and later server cards

_SETTINGS = 'int num_heads, int[] window_size, SymInt[] padding, bool mask_padding, float scale'
LIBRARY.define(f'window_attention(Tensor qkv, Tensor padding_value, Tensor? bias, {_SETTINGS}) -> (Tensor, Tensor)')
LIBRARY.define('window_attention_backward(Tensor grad, Tensor qkv, Tensor padding_value, Tensor? bias, Tensor out, '
               f'Tensor lse, {_SETTINGS}) -> (Tensor, Tensor, Tensor)')


def triton_attention(qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], num_heads: int,
                     window_size: tuple[int, int], padding: tuple[int, int, int, int], mask_padding: bool,
                     scale: float) -> Tensor:
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
        ValueError: If the kernels are not made for the dtype or the size of the heads or of the map.
    """
    problem = unsupported(qkv, num_heads, window_size, padding)
    if problem is not None:
        raise ValueError(f"attention backend 'triton': {problem}; take 'auto'")
    return torch.ops.hrformer_mm.window_attention(qkv, padding_value, bias, num_heads, window_size, padding,
                                                  mask_padding, scale)[0]


def unsupported(qkv: Tensor, num_heads: int, window_size: tuple[int, int],
                padding: tuple[int, int, int, int]) -> Optional[str]:
    """Why the kernels are not made for such projections, or None."""
    size = qkv.shape[3] // (3 * num_heads)
    if qkv.dtype not in DTYPES:
        return f"the dtype is {qkv.dtype}, but must be one of {', '.join(map(str, DTYPES))}"
    if size > MAX_HEAD:
        return f'heads have {size} channels, but at most {MAX_HEAD} are possible'
    # Within a window, and up to it from one that is padding alone, places are counted in 32 bits.
    if (window_size[0] + padding[0] + padding[1]) * qkv.shape[2] * qkv.shape[3] >= 2**31:
        return f'a row of windows of the map, {tuple(qkv.shape)}, has 2**31 elements or more'
    return None


class _Launch:
    """What the kernels of a call have in common."""

    def __init__(self, qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], num_heads: int,
                 window_size: list[int], padding: list[int], mask_padding: bool, scale: float) -> None:
        n, height, width, channels = qkv.shape
        top, bottom, left, right = padding
        rows, columns = (height + top + bottom) // window_size[0], (width + left + right) // window_size[1]
        self.inputs = (qkv.contiguous(), padding_value.to(qkv.dtype).contiguous(),
                       None if bias is None else bias.contiguous())
        self.windows, self.heads, self.window = n * rows * columns, num_heads, tuple(window_size)
        self.sizes = height, width, top, left, rows, columns
        self.scale = scale
        self.full = qkv.dtype == torch.float32
        # A tile of 64 places holds a window of 7x7 or 8x8. Products of float32 run without tensor cores, on operands in
        # registers, where tiles of 64 do not fit. Places are counted with `pitch` to a row of the window: a power of
        # two, where that makes no more tiles, saves divisions.
        places, largest = math.prod(window_size), 32 if self.full else 64
        self.block = min(max(power_of_two(places), 16), largest)
        pitch = power_of_two(window_size[1])
        if -(-window_size[0] * pitch // self.block) > -(-places // self.block):
            pitch = window_size[1]
        self.counted = window_size[0] * pitch
        self.blocks = -(-self.counted // self.block)
        self.with_bias, self.fill = bias is not None, any(padding) and not mask_padding
        size = channels // (3 * num_heads)
        paired = size % 2 == 1 and num_heads % 2 == 0
        self.options: dict[str, Any] = dict(
            HEADS=num_heads, D=size, PAIRED=paired, WH=window_size[0], WW=window_size[1], PITCH=pitch,
            HAS_BIAS=self.with_bias, FILL=self.fill, MASK=mask_padding and any(padding), BLOCK=self.block,
            BLOCK_D=max(power_of_two(size + paired), 16), **product_options(qkv), num_warps=4, num_stages=1)

    def __call__(self, kernel: Any, programs: int, *arguments: Any, **tiles: Any) -> None:
        if programs >= 2**31:
            raise ValueError(f"attention backend 'triton': {self.windows} windows of {self.heads} heads are more than "
                             "one launch takes; take 'fused'")
        if programs:
            # All in the first axis of the grid: the others end at 65,535. In place of no bias anything is given.
            qkv, value, bias = self.inputs
            with torch.cuda.device_of(qkv):
                kernel[(programs, )](qkv, value, qkv if bias is None else bias, *arguments, self.scale,
                                     **{**self.options, **tiles})

    # What follows is chosen by what the compiler reports, see docs/gpu.md.

    def forward_tiles(self) -> dict[str, Any]:
        """Queries of a program, and its warps and registers: keys are read once for all of them."""
        if self.full or self.blocks == 1:
            return dict(ROWS=self.block, maxnreg=None if self.full else 128)
        return dict(ROWS=128, num_warps=8, maxnreg=128)

    def whole_tiles(self, shared: int) -> Optional[dict[str, Any]]:
        """Queries and keys of a tile where a program holds all queries of a window, or None if they are too many."""
        if self.blocks == 1:
            return dict(ROWS=self.block)
        if self.full or self.counted > 256 or shared < SHARED:
            return None
        return dict(ROWS=128, num_warps=8) if self.counted <= 128 else dict(ROWS=256, BLOCK=32, num_warps=8)

    def groups(self, programs: int, tiles: int = 1) -> tuple[int, int]:
        """Into how many groups windows are divided where so many programs work on each, and how many are in one."""
        share = -(-self.windows // max(programs // (self.heads * tiles), 1))
        return -(-self.windows // max(share, 1)), share

    def sum_bias(self, sums: Tensor) -> Tensor:
        """The sums of (groups, heads, queries, keys), by the places' numbers in tiles: (heads, L, L)."""
        height, width = self.window
        sums = sums[:, :, :self.counted, :self.counted].sum(0).unflatten(2, (height, -1)).unflatten(1, (height, -1))
        return sums[:, :, :width, :, :width].flatten(3).flatten(1, 2)


def _forward(qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], *settings: Any) -> tuple[Tensor, Tensor]:
    from .attention_forward import forward
    launch = _Launch(qkv, padding_value, bias, *settings)
    out, lse = _outputs(qkv, launch.heads)
    tiles = launch.forward_tiles()
    parts = -(-launch.counted // tiles['ROWS'])
    launch(forward, launch.windows * parts * launch.heads, out, lse, *launch.sizes, **tiles)
    return out, lse


def _backward(grad: Tensor, qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], out: Tensor, lse: Tensor,
              *settings: Any) -> tuple[Tensor, Tensor, Tensor]:
    launch = _Launch(qkv, padding_value, bias, *settings)
    grad_qkv = torch.empty(qkv.shape, dtype=qkv.dtype, device=qkv.device)
    tiles = launch.whole_tiles(shared_memory(qkv.device))
    run = _backward_in_parts if tiles is None else _backward_whole
    sums_value, sums_bias = run(launch, grad.contiguous(), out, lse, grad_qkv, tiles)
    grad_value = torch.zeros_like(padding_value)
    if launch.fill:
        grad_value[qkv.shape[3] // 3:] = sums_value.sum(0)
    return grad_qkv, grad_value, lse.new_empty(0) if bias is None else launch.sum_bias(sums_bias).to(bias.dtype)


def _backward_whole(launch: _Launch, grad: Tensor, out: Tensor, lse: Tensor, grad_qkv: Tensor,
                    tiles: dict[str, Any]) -> tuple[Tensor, Tensor]:
    from .attention_backward import backward_whole
    groups, share = launch.groups(PROGRAMS if launch.blocks == 1 else PROGRAMS_OF_LARGE_WINDOWS)
    block = tiles.get('BLOCK', launch.block)
    sums_bias = lse.new_empty(groups if launch.with_bias else 0, launch.heads, tiles['ROWS'],
                              -(-launch.counted // block) * block)
    sums_value = lse.new_empty(groups if launch.fill else 0, 2 * grad.shape[3])
    launch(backward_whole, groups * launch.heads, lse, out, grad, grad_qkv, sums_value, sums_bias, *launch.sizes,
           launch.windows, share, **tiles)
    return sums_value, sums_bias


def _backward_in_parts(launch: _Launch, grad: Tensor, out: Tensor, lse: Tensor, grad_qkv: Tensor,
                       _: None) -> tuple[Tensor, Tensor]:
    from .attention_backward import backward_bias, backward_keys, backward_queries
    blocks, pairs, delta = launch.blocks, launch.windows * launch.blocks, torch.empty_like(lse)
    groups, share = launch.groups(PROGRAMS, blocks**2)
    side = blocks * launch.block
    sums_bias = lse.new_empty(groups if launch.with_bias else 0, launch.heads, side, side)
    sums_value = lse.new_empty(pairs if launch.fill else 0, 2 * grad.shape[3])
    launch(backward_queries, pairs * launch.heads, lse, out, grad, grad_qkv, delta, *launch.sizes)
    launch(backward_keys, pairs * launch.heads, lse, delta, grad, grad_qkv, sums_value, *launch.sizes)
    if launch.with_bias:
        launch(backward_bias, groups * launch.heads * blocks**2, lse, delta, grad, sums_bias, *launch.sizes,
               launch.windows, share)
    return sums_value, sums_bias


def shared_memory(device: torch.device) -> int:
    """Bytes that a program may have on a device; in the interpreter, as on the largest."""
    if device.type == 'cpu':
        return SHARED
    return torch.cuda.get_device_properties(device).shared_memory_per_block_optin


def _outputs(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    n, h, w, c = qkv.shape
    return qkv.new_empty(n, h, w, c // 3), qkv.new_empty(n, h, w, heads, dtype=torch.float32)


implement('window_attention', _forward)
implement('window_attention_backward', _backward)


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
