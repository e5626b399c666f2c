"""Convolution over upsampled maps that runs most of its arithmetic before the upsampling."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def upsampled_conv(maps: Sequence[Tensor], weight: Tensor, bias: Tensor | None, align_corners: bool) -> Tensor:
    """Convolve the concatenation of maps that are upsampled bilinearly to the size of the first map.

    Upsampling and convolution are linear. Therefore a coarse map can be projected to all taps of the kernel at its own
    resolution. Two products with interpolation matrices then upsample, shift and sum the taps. This needs 7 times less
    arithmetic for the branch of stride 16, 30 times less for that of stride 32, and no concatenation.

    Args:
        maps (Sequence[Tensor]): Maps of shape (N, C_i, H_i, W_i), finest first.
        weight (Tensor): Weight of shape (O, sum of C_i, K, K), where K is odd.
        bias (Tensor, optional): Bias of shape (O,).
        align_corners (bool): See `torch.nn.functional.interpolate`.

    Returns:
        Tensor: Map of shape (N, O, H_0, W_0).
    """
    size, padding = maps[0].shape[2:], weight.shape[2] // 2
    weights = weight.split([x.shape[1] for x in maps], dim=1)
    out = F.conv2d(maps[0], weights[0], bias, padding=padding)
    for x, part in zip(maps[1:], weights[1:]):
        if _is_worthwhile(x, part, size):
            x = _conv_before_upsampling(x, part, size, align_corners)
        else:
            x = F.interpolate(x, size=size, mode='bilinear', align_corners=align_corners)
            x = F.conv2d(x, part, padding=padding)
        out = out.add_(x)
    return out


def _is_worthwhile(x: Tensor, weight: Tensor, size: torch.Size) -> bool:
    if any(isinstance(side, torch.SymInt) for side in x.shape[2:]):  # a graph for all sizes cannot branch on the size
        return False
    (h, w), (height, width), (out, channels, k, _) = x.shape[2:], size, weight.shape
    after = height * width * k * k * channels * out
    before = (h * w * k * k * channels + height * k * h * w * k + height * width * w * k) * out
    return 2 * before < after  # the products with the interpolation matrices are memory-bound


def _conv_before_upsampling(x: Tensor, weight: Tensor, size: torch.Size, align_corners: bool) -> Tensor:
    n, c, h, w = x.shape
    out, _, k, _ = weight.shape
    rows = _shifted_interpolation(h, size[0], k, align_corners, x)
    columns = _shifted_interpolation(w, size[1], k, align_corners, x)
    # A single product sums over the columns of the coarse map and the taps of the kernel.
    columns = columns.permute(1, 2, 0).reshape(1, size[1], w * k).expand(n * h, -1, -1)
    upsampled = []
    for ky in range(k):
        # Taps of one row of the kernel, (N, h, w, K * O).
        taps = F.conv2d(x, weight[:, :, ky].permute(2, 0, 1).reshape(k * out, c, 1, 1)).permute(0, 2, 3, 1)
        # The entries of the interpolation matrices need full precision.
        with torch.autocast(x.device.type, enabled=False):
            taps = torch.bmm(columns, taps.to(columns.dtype).reshape(n * h, w * k, out))
        upsampled.append(taps.view(n, h, size[1] * out))
    with torch.autocast(x.device.type, enabled=False):
        rows = rows.permute(1, 0, 2).reshape(1, size[0], k * h).expand(n, -1, -1)
        result = torch.bmm(rows, torch.cat(upsampled, dim=1))
    return result.view(n, *size, out).permute(0, 3, 1, 2).to(x.dtype)


def _shifted_interpolation(old: int, new: int, k: int, align_corners: bool, like: Tensor) -> Tensor:
    """Return the matrices (k, new, old) that upsample and shift for each tap of a kernel, with zeros as padding."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    one_hot = torch.eye(old, dtype=dtype, device=like.device)[:, None, :]
    matrix = F.interpolate(one_hot, size=new, mode='linear', align_corners=align_corners)[:, 0].t()
    matrix = F.pad(matrix, (0, 0, k // 2, k // 2))
    return torch.stack([matrix[i : i + new] for i in range(k)])
