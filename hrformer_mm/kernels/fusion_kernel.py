"""Triton kernel of the exchange between streams: the ReLU of a sum of maps, some of which are upsampled on the way."""

import triton
import triton.language as tl


@triton.jit
def source(place, size, FACTOR: tl.constexpr):
    """Of rows or columns of the fine map: the two between which they lie in the coarse one, and the second's share."""
    position = tl.maximum((place + 0.5) * (1.0 / FACTOR) - 0.5, 0.0)
    first = position.to(tl.int32)
    return first, tl.minimum(first + 1, size // FACTOR - 1), position - first


@triton.jit
def load_row(pointer, image, y, x, height, width, channel, mask, C: tl.constexpr):
    """Channels at places of a map, (places, channels), in float32."""
    token = (image.to(tl.int64) * height + y) * width + x
    return tl.load(pointer + token[:, None] * C + channel[None, :], mask=mask, other=0.0).to(tl.float32)


@triton.jit
def load_upsampled(pointer, image, y, x, height, width, channel, mask, C: tl.constexpr, FACTOR: tl.constexpr,
                   BILINEAR: tl.constexpr):
    """As :func:`load_row`, of a map that is FACTOR times as coarse, upsampled; where FACTOR is 0 there is no map."""
    h, w = height // FACTOR if FACTOR else height, width // FACTOR if FACTOR else width
    if FACTOR == 0:
        value = tl.zeros([y.shape[0], channel.shape[0]], tl.float32)
    elif FACTOR == 1:
        value = load_row(pointer, image, y, x, h, w, channel, mask, C)
    elif BILINEAR:
        top, bottom, low = source(y, height, FACTOR)
        left, right, far = source(x, width, FACTOR)
        upper = (load_row(pointer, image, top, left, h, w, channel, mask, C) * (1 - far)[:, None] +
                 load_row(pointer, image, top, right, h, w, channel, mask, C) * far[:, None])
        lower = (load_row(pointer, image, bottom, left, h, w, channel, mask, C) * (1 - far)[:, None] +
                 load_row(pointer, image, bottom, right, h, w, channel, mask, C) * far[:, None])
        value = upper * (1 - low)[:, None] + lower * low[:, None]
    else:
        value = load_row(pointer, image, y // FACTOR, x // FACTOR, h, w, channel, mask, C)
    return value


@triton.jit(do_not_specialize=['places', 'height', 'width'])
def fuse(own, first, second, third, out, places, height, width, C: tl.constexpr, FIRST: tl.constexpr,
         SECOND: tl.constexpr, THIRD: tl.constexpr, BILINEAR: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """Program: (block of places, block of channels). Maps are (N, H, W, C) in memory."""
    PARTS: tl.constexpr = (C + BLOCK - 1) // BLOCK
    pid = tl.program_id(0)
    place = pid // PARTS * ROWS + tl.arange(0, ROWS)
    channel = pid % PARTS * BLOCK + tl.arange(0, BLOCK)
    mask = (place < places)[:, None] & (channel < C)[None, :]
    x, y, image = place % width, place // width % height, place // (width * height)
    total = load_row(own, image, y, x, height, width, channel, mask, C)
    total += load_upsampled(first, image, y, x, height, width, channel, mask, C, FIRST, BILINEAR)
    total += load_upsampled(second, image, y, x, height, width, channel, mask, C, SECOND, BILINEAR)
    total += load_upsampled(third, image, y, x, height, width, channel, mask, C, THIRD, BILINEAR)
    # A comparison, and not the larger of both, which would hide NaN.
    total = tl.where(total < 0, 0.0, total)
    tl.store(out + place.to(tl.int64)[:, None] * C + channel[None, :], total.to(out.dtype.element_ty), mask=mask)
