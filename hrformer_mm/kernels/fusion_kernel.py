"""Triton kernel of the exchange between streams: the ReLU of a sum of maps, some of which are upsampled on the way.

A program has places of one row alone, so that rows, their shares and where they begin are found once for all of them.
"""

import triton
import triton.language as tl


@triton.jit
def source(place, size, FACTOR: tl.constexpr):
    """Of rows or columns of the fine map: the two between which they lie in the coarse one, and the second's share."""
    position = tl.maximum((place + 0.5) * (1.0 / FACTOR) - 0.5, 0.0)
    first = position.to(tl.int32)
    return first, tl.minimum(first + 1, size // FACTOR - 1), position - first


@triton.jit
def load(pointer, row, offsets, width, mask, C: tl.constexpr):
    """Channels at places of a row of a map, (places, channels), in float32."""
    # Of 64 bits, since a map may have more than 2**31 elements; within a row 32 do.
    return tl.load(pointer + row.to(tl.int64) * (width * C) + offsets, mask=mask, other=0.0).to(tl.float32)


@triton.jit
def load_upsampled(pointer, image, y, x, height, width, channel, mask, C: tl.constexpr, FACTOR: tl.constexpr,
                   BILINEAR: tl.constexpr):
    """As :func:`load`, of a map that is FACTOR times as coarse, upsampled; where FACTOR is 0 there is no map."""
    h, w = height // FACTOR if FACTOR else height, width // FACTOR if FACTOR else width
    if FACTOR == 0:
        value = tl.zeros([x.shape[0], channel.shape[0]], tl.float32)
    elif FACTOR == 1:
        value = load(pointer, image * h + y, x[:, None] * C + channel[None, :], w, mask, C)
    elif BILINEAR:
        top, bottom, low = source(y, height, FACTOR)
        left, right, far = source(x, width, FACTOR)
        left, right = left[:, None] * C + channel[None, :], right[:, None] * C + channel[None, :]
        top, bottom, far = image * h + top, image * h + bottom, far[:, None]
        # Of the two columns first: sums of the two rows there, and what lies between.
        value = load(pointer, top, left, w, mask, C) * (1 - low) + load(pointer, bottom, left, w, mask, C) * low
        other = load(pointer, top, right, w, mask, C) * (1 - low) + load(pointer, bottom, right, w, mask, C) * low
        value += (other - value) * far
    else:
        value = load(pointer, image * h + y // FACTOR, x[:, None] // FACTOR * C + channel[None, :], w, mask, C)
    return value


@triton.jit(do_not_specialize=['height', 'width', 'blocks'])
def fuse(own, first, second, third, out, height, width, blocks, C: tl.constexpr, FIRST: tl.constexpr,
         SECOND: tl.constexpr, THIRD: tl.constexpr, BILINEAR: tl.constexpr, PLACES: tl.constexpr, BLOCK: tl.constexpr):
    """Program: (image, row, one of its `blocks` of PLACES places, block of channels). Maps are (N, H, W, C) in memory."""
    PARTS: tl.constexpr = (C + BLOCK - 1) // BLOCK
    pid = tl.program_id(0)
    x = pid // PARTS % blocks * PLACES + tl.arange(0, PLACES)
    channel = pid % PARTS * BLOCK + tl.arange(0, BLOCK)
    row = pid // (PARTS * blocks)
    image, y = row // height, row % height
    mask = (x < width)[:, None] & (channel < C)[None, :]
    offsets = x[:, None] * C + channel[None, :]
    total = load(own, row, offsets, width, mask, C)
    total += load_upsampled(first, image, y, x, height, width, channel, mask, C, FIRST, BILINEAR)
    total += load_upsampled(second, image, y, x, height, width, channel, mask, C, SECOND, BILINEAR)
    total += load_upsampled(third, image, y, x, height, width, channel, mask, C, THIRD, BILINEAR)
    # A comparison, and not the larger of both, which would hide NaN.
    total = tl.where(total < 0, 0.0, total)
    tl.store(out + row.to(tl.int64) * (width * C) + offsets, total.to(out.dtype.element_ty), mask=mask)
