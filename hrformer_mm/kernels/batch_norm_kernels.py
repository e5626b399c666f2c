"""Triton kernels of a batch norm with GELU on channels-last maps: statistics, the pass forward, two passes backward.

Maps are read as (rows, WIDE) in memory, WIDE being the channels, or those of several places, so that vectors of eight
channels begin at even addresses; `channel % C` is a place's own. `stats` is (5, C) in float32: mean, 1 / deviation,
scale and shift, of which scale * x + shift is the norm's output, and 1 / number of places.

Nothing is added up by atomics: a program has a fixed share of the rows, and writes what it found of them.
Loops whose end is known at run time alone are `while`: the interpreter takes no other with NumPy 2.4.
"""

import triton
import triton.language as tl

from .gelu import gelu, gelu_and_slope

# Values that differ from call to call: no kernel of their own where one is 1 or divisible by 16.
SIZES = ['rows', 'share', 'parts']


@triton.jit
def _locate(WIDE: tl.constexpr, CHANNELS: tl.constexpr):
    """Of a program: the number of its share of the rows, and its channels, (1, CHANNELS)."""
    BLOCKS: tl.constexpr = (WIDE + CHANNELS - 1) // CHANNELS
    pid = tl.program_id(0)
    return pid // BLOCKS, (pid % BLOCKS * CHANNELS + tl.arange(0, CHANNELS))[None, :]


@triton.jit
def _load(x, row, left, channel, WIDE: tl.constexpr):
    """Rows of a map, (rows, CHANNELS), and which are among the `left` ones."""
    mask = (row < left) & (channel < WIDE)
    return tl.load(x + (row * WIDE + channel), mask=mask, other=0.0).to(tl.float32), mask


@triton.jit
def _vector(stats, index, channel, C: tl.constexpr):
    """A row of `stats` or of other sums, (1, CHANNELS)."""
    return tl.load(stats + index * C + channel % C)


@triton.jit(do_not_specialize=SIZES)
def statistics(x, moments, rows, share, C: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr,
               CHANNELS: tl.constexpr):
    """Program: (`share` rows, CHANNELS channels). Writes moments (programs, 3, C): means, sums of the squares around
    them, and how many values these are of."""
    part, channel = _locate(WIDE, CHANNELS)
    row = part.to(tl.int64) * share
    end = tl.minimum(row + share, rows)
    i = tl.arange(0, ROWS)[:, None]
    # Each thread has its own, and merges four rows at a time into them (Chan, Golub and LeVeque 1979).
    count = tl.zeros([ROWS, 1], tl.float32)
    mean, squares = tl.zeros([ROWS, CHANNELS], tl.float32), tl.zeros([ROWS, CHANNELS], tl.float32)
    while row < end:
        left, at = (end - row).to(tl.int32), x + row * WIDE
        x0, m0 = _load(at, i, left, channel, WIDE)
        x1, m1 = _load(at, i + ROWS, left, channel, WIDE)
        x2, m2 = _load(at, i + 2 * ROWS, left, channel, WIDE)
        x3, m3 = _load(at, i + 3 * ROWS, left, channel, WIDE)
        own = tl.minimum(tl.maximum((left - i + ROWS - 1) // ROWS, 0), 4).to(tl.float32)
        own_mean = (x0 + x1 + x2 + x3) * (1.0 / tl.maximum(own, 1.0))
        x0, x1 = tl.where(m0, x0 - own_mean, 0.0), tl.where(m1, x1 - own_mean, 0.0)
        x2, x3 = tl.where(m2, x2 - own_mean, 0.0), tl.where(m3, x3 - own_mean, 0.0)
        weight = own / tl.maximum(count + own, 1.0)
        distance = own_mean - mean
        mean += distance * weight
        squares += x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3 + distance * distance * (count * weight)
        count += own
        row += 4 * ROWS
    total = tl.sum(count, 0)[None, :]
    middle = tl.sum(count * mean, 0)[None, :] / tl.maximum(total, 1.0)
    squares += count * (mean - middle) * (mean - middle)
    at, mask = moments + (part * (WIDE // C) + channel // C) * (3 * C) + channel % C, channel < WIDE
    tl.store(at, middle, mask=mask)
    tl.store(at + C, tl.sum(squares, 0)[None, :], mask=mask)
    tl.store(at + 2 * C, tl.zeros([1, CHANNELS], tl.float32) + total, mask=mask)


@triton.jit(do_not_specialize=SIZES)
def finish(moments, weight, bias, running_mean, running_var, stats, parts, momentum, eps, C: tl.constexpr,
           ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Program: CHANNELS channels. Merges moments (parts, 3, C), updates the running statistics, writes stats (5, C)."""
    channel = (tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS))[None, :]
    i, mask = tl.arange(0, ROWS)[:, None], channel < C
    counts, means = tl.zeros([ROWS, CHANNELS], tl.float32), tl.zeros([ROWS, CHANNELS], tl.float32)
    part = 0
    while part < parts:
        at, real = moments + (part + i) * (3 * C) + channel, (part + i < parts) & mask
        count = tl.load(at + 2 * C, mask=real, other=0.0)
        means += tl.load(at, mask=real, other=0.0) * count
        counts += count
        part += ROWS
    total = tl.sum(counts, 0)[None, :]
    mean = tl.sum(means, 0)[None, :] / tl.maximum(total, 1.0)
    squares = tl.zeros([ROWS, CHANNELS], tl.float32)
    part = 0
    while part < parts:
        at, real = moments + (part + i) * (3 * C) + channel, (part + i < parts) & mask
        distance = tl.load(at, mask=real, other=0.0) - mean
        squares += tl.load(at + C, mask=real, other=0.0)
        squares += distance * distance * tl.load(at + 2 * C, mask=real, other=0.0)
        part += ROWS
    square = tl.sum(squares, 0)[None, :]
    deviation = tl.sqrt(square / tl.maximum(total, 1.0) + eps)
    scale = tl.load(weight + channel, mask=mask, other=0.0).to(tl.float32) / deviation
    shift = tl.load(bias + channel, mask=mask, other=0.0).to(tl.float32) - mean * scale
    tl.store(stats + channel, mean, mask=mask)
    tl.store(stats + C + channel, 1.0 / deviation, mask=mask)
    tl.store(stats + 2 * C + channel, scale, mask=mask)
    tl.store(stats + 3 * C + channel, shift, mask=mask)
    tl.store(stats + 4 * C + channel, 1.0 / tl.maximum(total, 1.0), mask=mask)
    _update(running_mean + channel, mean, momentum, mask)
    _update(running_var + channel, square / tl.maximum(total - 1.0, 1.0), momentum, mask)


@triton.jit
def _update(at, value, momentum, mask):
    before = tl.load(at, mask=mask, other=0.0).to(tl.float32)
    tl.store(at, (before + (value - before) * momentum).to(at.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=SIZES)
def activate(x, stats, out, rows, C: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Program: (ROWS rows, CHANNELS channels). Writes GELU of the norm."""
    part, channel = _locate(WIDE, CHANNELS)
    row, i = part.to(tl.int64) * ROWS, tl.arange(0, ROWS)[:, None]
    left = tl.minimum(rows - row, ROWS).to(tl.int32)
    value, mask = _load(x + row * WIDE, i, left, channel, WIDE)
    value = gelu(value * _vector(stats, 2, channel, C) + _vector(stats, 3, channel, C))
    tl.store(out + row * WIDE + (i * WIDE + channel), value.to(out.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=SIZES)
def gelu_sums(x, grad, stats, out, sums, rows, share, C: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr,
              CHANNELS: tl.constexpr, OUT: tl.constexpr):
    """Program: (`share` rows, CHANNELS channels). Writes sums (programs, 2, C): of the gradient before GELU, and of its
    products with the normalised map; and out, where OUT, GELU of the norm once more."""
    part, channel = _locate(WIDE, CHANNELS)
    row = part.to(tl.int64) * share
    end = tl.minimum(row + share, rows)
    i = tl.arange(0, ROWS)[:, None]
    mean, scale, shift = (_vector(stats, 0, channel, C), _vector(stats, 2, channel, C), _vector(stats, 3, channel, C))
    first, second = tl.zeros([ROWS, CHANNELS], tl.float32), tl.zeros([ROWS, CHANNELS], tl.float32)
    while row < end:
        left = (end - row).to(tl.int32)
        value, mask = _load(x + row * WIDE, i, left, channel, WIDE)
        slope, _ = _load(grad + row * WIDE, i, left, channel, WIDE)  # 0 where there is no row
        output, derivative = gelu_and_slope(value * scale + shift)
        slope *= derivative
        first += slope
        second += slope * (value - mean)
        if OUT:
            tl.store(out + row * WIDE + (i * WIDE + channel), output.to(out.dtype.element_ty), mask=mask)
        row += ROWS
    at, real = sums + (part * (WIDE // C) + channel // C) * (2 * C) + channel % C, channel < WIDE
    tl.store(at, tl.sum(first, 0)[None, :], mask=real)
    tl.store(at + C, tl.sum(second, 0)[None, :] * _vector(stats, 1, channel, C), mask=real)


@triton.jit(do_not_specialize=SIZES)
def backward(x, grad, stats, sums, grad_x, rows, C: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr,
             CHANNELS: tl.constexpr, GELU: tl.constexpr):
    """Program: (ROWS rows, CHANNELS channels). Writes the gradient of x, given the sums of all, (2, C); `grad` is that
    of GELU's output, or of its input."""
    part, channel = _locate(WIDE, CHANNELS)
    row, i = part.to(tl.int64) * ROWS, tl.arange(0, ROWS)[:, None]
    left = tl.minimum(rows - row, ROWS).to(tl.int32)
    value, mask = _load(x + row * WIDE, i, left, channel, WIDE)
    slope, _ = _load(grad + row * WIDE, i, left, channel, WIDE)
    scale = _vector(stats, 2, channel, C)
    if GELU:
        slope *= gelu_and_slope(value * scale + _vector(stats, 3, channel, C))[1]
    share = scale * _vector(stats, 4, channel, C)
    offset = share * _vector(sums, 0, channel, C)
    factor = share * _vector(sums, 1, channel, C) * _vector(stats, 1, channel, C)
    slope = slope * scale - offset - (value - _vector(stats, 0, channel, C)) * factor
    tl.store(grad_x + row * WIDE + (i * WIDE + channel), slope.to(grad_x.dtype.element_ty), mask=mask)
