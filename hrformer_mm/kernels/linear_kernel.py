"""Triton kernels of a projection with what goes along: LayerNorm before it, bias, GELU and residual sum after it.

Rows of a tile that do not exist are read from the last one that does, and not written.
"""

import triton
import triton.language as tl

from .gelu import gelu

# Values that differ from call to call: no kernel of their own where one is 1 or divisible by 16.
SIZES = ['rows']


@triton.jit
def locate(block, rows, ROWS: tl.constexpr):
    """Of a block of rows: its first, the rows from there on, each one that exists, and which of them do."""
    first = block.to(tl.int64) * ROWS  # a map may have more than 2**31 elements; within a block 32 bits do
    row, left = tl.arange(0, ROWS), tl.minimum(rows - first, ROWS).to(tl.int32)
    return first, tl.minimum(row, left - 1), row < left


@triton.jit
def load(x, row, start, K: tl.constexpr, BLOCK: tl.constexpr):
    """Channels from `start` on of rows of K, (rows, BLOCK), and zeros."""
    k = start + tl.arange(0, BLOCK)
    return tl.load(x + row[:, None] * K + k[None, :], mask=(k < K)[None, :], other=0.0)


@triton.jit
def origin(x, row, K: tl.constexpr):
    """What rows are counted from, so that a mean far from zero does not cost digits: their first channel; in 16 bits,
    which have few digits themselves, zero."""
    if x.dtype.element_ty == tl.float32:
        return tl.load(x + row * K)
    return tl.zeros([row.shape[0]], tl.float32)


@triton.jit
def scaled(x, norm_weight, norm_bias, start, K: tl.constexpr, BLOCK: tl.constexpr, NORM_BIAS: tl.constexpr):
    """The last step of a LayerNorm, which leaves zeros zero that are no channels."""
    k = start + tl.arange(0, BLOCK)
    x *= tl.load(norm_weight + k, mask=k < K, other=0.0).to(tl.float32)[None, :]
    if NORM_BIAS:
        x += tl.load(norm_bias + k, mask=k < K, other=0.0).to(tl.float32)[None, :]
    return x


@triton.jit
def finish(product, bias, residual, out, row, exists, start, O: tl.constexpr, BLOCK: tl.constexpr, BIAS: tl.constexpr,
           GELU: tl.constexpr, RESIDUAL: tl.constexpr):
    """Bias, GELU and sum in float32, and the output, rounded once."""
    o = start + tl.arange(0, BLOCK)
    offsets, mask = row[:, None] * O + o[None, :], exists[:, None] & (o < O)[None, :]
    if BIAS:
        product += tl.load(bias + o, mask=o < O, other=0.0).to(tl.float32)[None, :]
    if GELU:
        product = gelu(product)
    if RESIDUAL:
        product += tl.load(residual + offsets, mask=mask, other=0.0).to(tl.float32)
    tl.store(out + offsets, product.to(out.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=SIZES)
def linear_of_rows(x, weight, bias, norm_weight, norm_bias, residual, out, rows, eps,
                   K: tl.constexpr, O: tl.constexpr, NORM: tl.constexpr, NORM_BIAS: tl.constexpr, BIAS: tl.constexpr,
                   GELU: tl.constexpr, RESIDUAL: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
                   COLUMNS: tl.constexpr, SHARE: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr):
    """Where a tile has whole rows, K <= BLOCK. Program: (block of ROWS rows, SHARE blocks of COLUMNS outputs in turn),
    which normalises its rows once."""
    SHARES: tl.constexpr = ((O + COLUMNS - 1) // COLUMNS + SHARE - 1) // SHARE
    pid = tl.program_id(0)
    first, row, exists = locate(pid // SHARES, rows, ROWS)
    x, residual, out = x + first * K, residual + first * O, out + first * O
    values = load(x, row, 0, K, BLOCK)
    if NORM:
        inside = (tl.arange(0, BLOCK) < K)[None, :]
        exact = tl.where(inside, values.to(tl.float32) - origin(x, row, K)[:, None], 0.0)
        exact = tl.where(inside, exact - (tl.sum(exact, 1) * (1.0 / K))[:, None], 0.0)
        exact *= tl.rsqrt(tl.sum(exact * exact, 1) * (1.0 / K) + eps)[:, None]
        values = scaled(exact, norm_weight, norm_bias, 0, K, BLOCK, NORM_BIAS).to(values.dtype)
    values = values.to(DOT)
    for step in range(SHARE):
        start = (pid % SHARES * SHARE + step) * COLUMNS
        outputs = tl.minimum(start + tl.arange(0, COLUMNS), O - 1)
        part = load(weight, outputs, 0, K, BLOCK).to(DOT)
        product = tl.dot(values, tl.trans(part), input_precision=PRECISION)
        finish(product, bias, residual, out, row, exists, start, O, COLUMNS, BIAS, GELU, RESIDUAL)


@triton.jit(do_not_specialize=SIZES)
def linear_in_parts(x, weight, bias, norm_weight, norm_bias, residual, out, rows, eps,
                    K: tl.constexpr, O: tl.constexpr, NORM: tl.constexpr, NORM_BIAS: tl.constexpr, BIAS: tl.constexpr,
                    GELU: tl.constexpr, RESIDUAL: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
                    COLUMNS: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr):
    """Where it has not: the sum over K is made in steps of BLOCK. Program: (block of ROWS rows, block of COLUMNS
    outputs); those that share rows are next to each other, and a norm's passes find them in the cache."""
    BLOCKS: tl.constexpr = (O + COLUMNS - 1) // COLUMNS
    pid = tl.program_id(0)
    first, row, exists = locate(pid // BLOCKS, rows, ROWS)
    x, residual, out = x + first * K, residual + first * O, out + first * O
    start = pid % BLOCKS * COLUMNS
    outputs = tl.minimum(start + tl.arange(0, COLUMNS), O - 1)
    if NORM:
        mean = tl.zeros([ROWS, BLOCK], tl.float32)
        zero = origin(x, row, K)
        for k in range(0, K, BLOCK):
            inside = (k + tl.arange(0, BLOCK) < K)[None, :]
            mean += tl.where(inside, load(x, row, k, K, BLOCK).to(tl.float32) - zero[:, None], 0.0)
        mean = tl.sum(mean, 1) * (1.0 / K)
        squares = tl.zeros([ROWS, BLOCK], tl.float32)
        for k in range(0, K, BLOCK):
            inside = (k + tl.arange(0, BLOCK) < K)[None, :]
            centred = load(x, row, k, K, BLOCK).to(tl.float32) - zero[:, None] - mean[:, None]
            squares += tl.where(inside, centred * centred, 0.0)
        scale = tl.rsqrt(tl.sum(squares, 1) * (1.0 / K) + eps)
    product = tl.zeros([ROWS, COLUMNS], tl.float32)
    for k in range(0, K, BLOCK):
        values = load(x, row, k, K, BLOCK)
        part = load(weight, outputs, k, K, BLOCK).to(DOT)
        if NORM:
            # What is no channel is made zero by the norm's weight and bias.
            exact = (values.to(tl.float32) - zero[:, None] - mean[:, None]) * scale[:, None]
            values = scaled(exact, norm_weight, norm_bias, k, K, BLOCK, NORM_BIAS).to(values.dtype)
        product = tl.dot(values.to(DOT), tl.trans(part), product, input_precision=PRECISION)
    finish(product, bias, residual, out, row, exists, start, O, COLUMNS, BIAS, GELU, RESIDUAL)
