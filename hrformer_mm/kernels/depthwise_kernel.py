"""Triton kernel of a 3x3 depth-wise convolution of a channels-last map.

A program has a block of channels and walks down a strip of rows. A thread has a few channels of four neighbouring
columns: it reads six columns of a row, of which its neighbours read two as well, and adds each to what it belongs to
among the sums of three rows, so that an element is read one and a half times, from the cache, and not nine times.

Loops whose end is known at run time alone are `while`: the interpreter takes no other with NumPy 2.4.
"""

import triton
import triton.language as tl

from .gelu import gelu

# Values that differ from call to call: no kernel of their own where one is 1 or divisible by 16.
SIZES = ['height', 'width', 'groups', 'strips', 'share']
COLUMNS = tl.constexpr(4)  # of a thread


@triton.jit
def locate(height, groups, strips, share, C: tl.constexpr, GROUPS: tl.constexpr, CHANNELS: tl.constexpr):
    """Of a program: its image, first row and the one after its last, and of its tile the first columns and channels."""
    BLOCKS: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    pid = tl.program_id(0)
    channel = pid % BLOCKS * CHANNELS + tl.arange(0, CHANNELS)
    column = (pid // BLOCKS % groups * GROUPS + tl.arange(0, GROUPS)) * COLUMNS
    first = pid // (BLOCKS * groups) % strips * share
    end = tl.minimum(first + share, height)
    return pid // (BLOCKS * groups * strips), first, end, column[:, None], channel[None, :]


@triton.jit
def inside(column, channel, y, last, width, C: tl.constexpr):
    """Whether a column of each group, (GROUPS, CHANNELS), is one of the map's, and its row not after `last`."""
    return (column >= 0) & (column < width) & (channel < C) & (y >= 0) & (y <= last)


@triton.jit
def load_row(x, image, y, column, channel, height, width, last, C: tl.constexpr):
    """Six columns of a row for each group, (GROUPS, CHANNELS) each, from the one before its first, and zeros around
    the map and after the row `last`."""
    # Of 64 bits, since a map may have more than 2**31 elements; within a row 32 do.
    at = x + (image.to(tl.int64) * height + y) * width * C + ((column - 1) * C + channel)
    return (tl.load(at, mask=inside(column - 1, channel, y, last, width, C), other=0.0),
            tl.load(at + C, mask=inside(column, channel, y, last, width, C), other=0.0),
            tl.load(at + 2 * C, mask=inside(column + 1, channel, y, last, width, C), other=0.0),
            tl.load(at + 3 * C, mask=inside(column + 2, channel, y, last, width, C), other=0.0),
            tl.load(at + 4 * C, mask=inside(column + 3, channel, y, last, width, C), other=0.0),
            tl.load(at + 5 * C, mask=inside(column + 4, channel, y, last, width, C), other=0.0))


@triton.jit
def load_taps(weight, channel, C: tl.constexpr):
    """The nine weights of each channel, (1, CHANNELS) each, by rows."""
    at, mask = weight + channel * 9, channel < C
    return (tl.load(at, mask=mask, other=0.0).to(tl.float32), tl.load(at + 1, mask=mask, other=0.0).to(tl.float32),
            tl.load(at + 2, mask=mask, other=0.0).to(tl.float32), tl.load(at + 3, mask=mask, other=0.0).to(tl.float32),
            tl.load(at + 4, mask=mask, other=0.0).to(tl.float32), tl.load(at + 5, mask=mask, other=0.0).to(tl.float32),
            tl.load(at + 6, mask=mask, other=0.0).to(tl.float32), tl.load(at + 7, mask=mask, other=0.0).to(tl.float32),
            tl.load(at + 8, mask=mask, other=0.0).to(tl.float32))


@triton.jit
def add_row(s0, s1, s2, s3, x0, x1, x2, x3, x4, x5, left, centre, right):
    """What a row of six columns adds to the sums of four."""
    return (s0 + x0 * left + x1 * centre + x2 * right, s1 + x1 * left + x2 * centre + x3 * right,
            s2 + x2 * left + x3 * centre + x4 * right, s3 + x3 * left + x4 * centre + x5 * right)


@triton.jit
def _activated(x, column, channel, y, last, width, scale, shift, C: tl.constexpr, NORM: tl.constexpr):
    """Zeros around the map follow the norm and GELU."""
    x = x.to(tl.float32)
    return tl.where(inside(column, channel, y, last, width, C), gelu(x * scale + shift), 0.0) if NORM else x


@triton.jit
def store_column(row, x, column, channel, width, C: tl.constexpr, GELU: tl.constexpr):
    """Write a column of each group, after GELU if there is one."""
    x = gelu(x) if GELU else x
    tl.store(row + (column * C + channel), x.to(row.dtype.element_ty), mask=(column < width) & (channel < C))


@triton.jit(do_not_specialize=SIZES)
def depthwise(x, stats, weight, bias, out, height, width, groups, strips, share,
              C: tl.constexpr, NORM: tl.constexpr, HAS_BIAS: tl.constexpr, GELU: tl.constexpr, GROUPS: tl.constexpr,
              CHANNELS: tl.constexpr):
    """Program: (image, strip of `share` rows, GROUPS groups of columns, CHANNELS channels). Writes out (N, H, W, C).

    What is read is x, or where NORM GELU of the norm, `stats` being as in :mod:`.batch_norm_kernels`.
    """
    image, first, end, column, channel = locate(height, groups, strips, share, C, GROUPS, CHANNELS)
    w0, w1, w2, w3, w4, w5, w6, w7, w8 = load_taps(weight, channel, C)
    a, b = tl.zeros([1, CHANNELS], tl.float32), tl.zeros([1, CHANNELS], tl.float32)
    empty = tl.zeros([GROUPS, CHANNELS], tl.float32)
    if NORM:
        a = tl.load(stats + 2 * C + channel, mask=channel < C, other=0.0)
        b = tl.load(stats + 3 * C + channel, mask=channel < C, other=0.0)
    if HAS_BIAS:
        empty += tl.load(bias + channel, mask=channel < C, other=0.0).to(tl.float32)
    # Sums of the row before `y`, which is the row that is read, and of `y` itself. The first two rows that are read
    # complete none.
    s0, s1, s2, s3, t0, t1, t2, t3 = empty, empty, empty, empty, empty, empty, empty, empty
    y, last = first - 1, tl.minimum(end, height - 1)
    n0, n1, n2, n3, n4, n5 = load_row(x, image, y, column, channel, height, width, last, C)
    while y <= end:
        x0 = _activated(n0, column - 1, channel, y, last, width, a, b, C, NORM)
        x1 = _activated(n1, column, channel, y, last, width, a, b, C, NORM)
        x2 = _activated(n2, column + 1, channel, y, last, width, a, b, C, NORM)
        x3 = _activated(n3, column + 2, channel, y, last, width, a, b, C, NORM)
        x4 = _activated(n4, column + 3, channel, y, last, width, a, b, C, NORM)
        x5 = _activated(n5, column + 4, channel, y, last, width, a, b, C, NORM)
        # The next row is on its way while this one is added up.
        n0, n1, n2, n3, n4, n5 = load_row(x, image, y + 1, column, channel, height, width, last, C)
        s0, s1, s2, s3 = add_row(s0, s1, s2, s3, x0, x1, x2, x3, x4, x5, w6, w7, w8)
        if y > first:
            above = out + (image.to(tl.int64) * height + y - 1) * width * C
            store_column(above, s0, column, channel, width, C, GELU)
            store_column(above, s1, column + 1, channel, width, C, GELU)
            store_column(above, s2, column + 2, channel, width, C, GELU)
            store_column(above, s3, column + 3, channel, width, C, GELU)
        s0, s1, s2, s3 = add_row(t0, t1, t2, t3, x0, x1, x2, x3, x4, x5, w3, w4, w5)
        t0, t1, t2, t3 = add_row(empty, empty, empty, empty, x0, x1, x2, x3, x4, x5, w0, w1, w2)
        y += 1
