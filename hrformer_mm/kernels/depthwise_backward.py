"""Triton kernel of the backward pass of a batch norm, GELU and a 3x3 depth-wise convolution.

As in :mod:`.depthwise_kernel` a program walks down a strip of rows, with four columns of a few channels to a thread; of
the gradient it holds three rows, of which the middle one is the row of the map that it works on.
"""

import triton
import triton.language as tl

from .depthwise_kernel import SIZES, inside, load_row, load_taps, locate, store_column
from .gelu import gelu_and_slope


@triton.jit
def _exact(x0, x1, x2, x3, x4, x5):
    return (x0.to(tl.float32), x1.to(tl.float32), x2.to(tl.float32), x3.to(tl.float32), x4.to(tl.float32),
            x5.to(tl.float32))


@triton.jit
def _load_four(x, image, y, column, channel, height, width, last, C: tl.constexpr):
    """The group's own columns of a row."""
    at = x + (image.to(tl.int64) * height + y) * width * C + (column * C + channel)
    return (tl.load(at, mask=inside(column, channel, y, last, width, C), other=0.0),
            tl.load(at + C, mask=inside(column + 1, channel, y, last, width, C), other=0.0),
            tl.load(at + 2 * C, mask=inside(column + 2, channel, y, last, width, C), other=0.0),
            tl.load(at + 3 * C, mask=inside(column + 3, channel, y, last, width, C), other=0.0))


@triton.jit
def _activate(x, column, channel, width, mean, scale, shift, C: tl.constexpr):
    """Of a column: the map less its mean, GELU of the norm, and its derivative; no GELU outside of the map."""
    x = x.to(tl.float32)
    u, slope = gelu_and_slope(x * scale + shift)
    real = (column < width) & (channel < C)
    return x - mean, tl.where(real, u, 0.0), tl.where(real, slope, 0.0)


@triton.jit
def _convolve(a0, a1, a2, b0, b1, b2, c0, c1, c2, w0, w1, w2, w3, w4, w5, w6, w7, w8):
    """The gradient of a place before the convolution, given those of its neighbours after it: the weights turned."""
    return a0 * w8 + a1 * w7 + a2 * w6 + b0 * w5 + b1 * w4 + b2 * w3 + c0 * w2 + c1 * w1 + c2 * w0


@triton.jit
def _add_products(d0, d1, d2, u0, u1, u2, u3, g0, g1, g2, g3, g4, g5):
    """To the gradients of a row of weights, what four columns and a row of six gradients give."""
    return (d0 + u0 * g2 + u1 * g3 + u2 * g4 + u3 * g5, d1 + u0 * g1 + u1 * g2 + u2 * g3 + u3 * g4,
            d2 + u0 * g0 + u1 * g1 + u2 * g2 + u3 * g3)


@triton.jit
def _store_sum(at, x, mask):
    tl.store(at, tl.sum(x, 0)[None, :], mask=mask)


@triton.jit(do_not_specialize=SIZES)
def backward(x, grad, stats, weight, grad_norm, sums, height, width, groups, strips, share,
             C: tl.constexpr, GROUPS: tl.constexpr, CHANNELS: tl.constexpr):
    """Program: (image, strip of `share` rows, GROUPS groups of columns, CHANNELS channels).

    Writes grad_norm (N, H, W, C), the gradient of GELU's input, and sums (programs / blocks of channels, 12 * C):
    of the weight's gradient (C, 9), the bias', of grad_norm, and of its products with the normalised map.
    """
    BLOCKS: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    image, first, end, column, channel = locate(height, groups, strips, share, C, GROUPS, CHANNELS)
    w0, w1, w2, w3, w4, w5, w6, w7, w8 = load_taps(weight, channel, C)
    real = channel < C
    mean, scale = tl.load(stats + channel, mask=real), tl.load(stats + 2 * C + channel, mask=real)
    shift = tl.load(stats + 3 * C + channel, mask=real)
    none = tl.zeros([GROUPS, CHANNELS], tl.float32)
    d0, d1, d2, d3, d4, d5, d6, d7, d8 = none, none, none, none, none, none, none, none, none
    bias, total, products = none, none, none
    y, last = first, tl.minimum(end, height - 1)
    n0, n1, n2, n3, n4, n5 = load_row(grad, image, y - 1, column, channel, height, width, last, C)
    a0, a1, a2, a3, a4, a5 = _exact(n0, n1, n2, n3, n4, n5)
    n0, n1, n2, n3, n4, n5 = load_row(grad, image, y, column, channel, height, width, last, C)
    b0, b1, b2, b3, b4, b5 = _exact(n0, n1, n2, n3, n4, n5)
    n0, n1, n2, n3, n4, n5 = load_row(grad, image, y + 1, column, channel, height, width, last, C)
    m0, m1, m2, m3 = _load_four(x, image, y, column, channel, height, width, last, C)
    while y < end:
        c0, c1, c2, c3, c4, c5 = _exact(n0, n1, n2, n3, n4, n5)
        x0, u0, s0 = _activate(m0, column, channel, width, mean, scale, shift, C)
        x1, u1, s1 = _activate(m1, column + 1, channel, width, mean, scale, shift, C)
        x2, u2, s2 = _activate(m2, column + 2, channel, width, mean, scale, shift, C)
        x3, u3, s3 = _activate(m3, column + 3, channel, width, mean, scale, shift, C)
        # The next rows are on their way while these are worked on.
        n0, n1, n2, n3, n4, n5 = load_row(grad, image, y + 2, column, channel, height, width, last, C)
        m0, m1, m2, m3 = _load_four(x, image, y + 1, column, channel, height, width, last, C)
        s0 *= _convolve(a0, a1, a2, b0, b1, b2, c0, c1, c2, w0, w1, w2, w3, w4, w5, w6, w7, w8)
        s1 *= _convolve(a1, a2, a3, b1, b2, b3, c1, c2, c3, w0, w1, w2, w3, w4, w5, w6, w7, w8)
        s2 *= _convolve(a2, a3, a4, b2, b3, b4, c2, c3, c4, w0, w1, w2, w3, w4, w5, w6, w7, w8)
        s3 *= _convolve(a3, a4, a5, b3, b4, b5, c3, c4, c5, w0, w1, w2, w3, w4, w5, w6, w7, w8)
        row = grad_norm + (image.to(tl.int64) * height + y) * width * C
        store_column(row, s0, column, channel, width, C, False)
        store_column(row, s1, column + 1, channel, width, C, False)
        store_column(row, s2, column + 2, channel, width, C, False)
        store_column(row, s3, column + 3, channel, width, C, False)
        # A weight's gradient is of a place and the output that it went into: of the first row, the one below.
        d0, d1, d2 = _add_products(d0, d1, d2, u0, u1, u2, u3, c0, c1, c2, c3, c4, c5)
        d3, d4, d5 = _add_products(d3, d4, d5, u0, u1, u2, u3, b0, b1, b2, b3, b4, b5)
        d6, d7, d8 = _add_products(d6, d7, d8, u0, u1, u2, u3, a0, a1, a2, a3, a4, a5)
        # The group's own columns; its last ones may be beyond the map, where the gradient is 0.
        bias += b1 + b2 + b3 + b4
        total += s0 + s1 + s2 + s3
        products += s0 * x0 + s1 * x1 + s2 * x2 + s3 * x3
        a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5 = b0, b1, b2, b3, b4, b5, c0, c1, c2, c3, c4, c5
        y += 1
    sums += (tl.program_id(0) // BLOCKS).to(tl.int64) * 12 * C
    taps, rest = sums + channel * 9, sums + 9 * C + channel
    _store_sum(taps, d0, real)
    _store_sum(taps + 1, d1, real)
    _store_sum(taps + 2, d2, real)
    _store_sum(taps + 3, d3, real)
    _store_sum(taps + 4, d4, real)
    _store_sum(taps + 5, d5, real)
    _store_sum(taps + 6, d6, real)
    _store_sum(taps + 7, d7, real)
    _store_sum(taps + 8, d8, real)
    _store_sum(rest, bias, real)
    _store_sum(rest + C, total, real)
    _store_sum(rest + 2 * C, products * tl.load(stats + C + channel, mask=real), real)
