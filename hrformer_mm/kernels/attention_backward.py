"""Triton kernels of window attention, backward; :mod:`.attention_forward` says how they find their places.

Nothing is added up by atomics: a program has a fixed share of the windows, writes its own sums of the gradients that
all windows share, and these are added in a fixed order afterwards. The same inputs give the same gradients.

Loops whose end is known at run time alone are `while`: the interpreter takes no other with NumPy 2.4.
"""

import triton
import triton.language as tl

from .attention_forward import (LOG2E, SIZES, channels, first_channel, load, load_bias, load_exactly, load_padded, locate,
                             number, places, scores_of, store)


@triton.jit
def load_sums(lse, tokens, queries, HEADS: tl.constexpr):
    """The logarithms of the softmax' sums; infinite, so that no key has a weight, for queries that are not real."""
    return tl.load(lse + tokens * HEADS, mask=queries, other=float('inf'))


@triton.jit
def _gradient(q, k, v, grad, delta, lse, bias, keys, scale, PRECISION: tl.constexpr):
    """The probabilities, made anew, and the gradient of the scores."""
    weights = tl.exp2(scores_of(q, k, bias, keys, scale, PRECISION) * LOG2E - lse[:, None])
    return weights, weights * (tl.dot(grad, tl.trans(v), input_precision=PRECISION) - delta[:, None])


@triton.jit(do_not_specialize=SIZES)
def backward_whole(qkv, value, bias, lse, out, grad_out, grad_qkv, grad_value, grad_bias, height, width, top, left,
                   rows, columns, windows, share, scale,
                   HEADS: tl.constexpr, D: tl.constexpr, PAIRED: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr,
                   PITCH: tl.constexpr, HAS_BIAS: tl.constexpr, FILL: tl.constexpr, MASK: tl.constexpr,
                   ROWS: tl.constexpr, BLOCK: tl.constexpr, BLOCK_D: tl.constexpr, DOT: tl.constexpr,
                   PRECISION: tl.constexpr):
    """All gradients where a window has ROWS places at most. Program: (`share` windows in turn, head).

    Writes grad_qkv, and of the program's windows the sums of grad_value (programs / heads, 2 * C), keys and values of
    padded places, and of grad_bias (programs / heads, heads, ROWS, COLUMNS), by the places' numbers in tiles.
    """
    L: tl.constexpr = WH * WW
    C: tl.constexpr = HEADS * D
    PADDED: tl.constexpr = FILL or MASK
    BLOCKS: tl.constexpr = (WH * PITCH + BLOCK - 1) // BLOCK
    COLUMNS: tl.constexpr = BLOCKS * BLOCK
    pid = tl.program_id(0)
    head = pid % HEADS
    first, extra = first_channel(head, D, PAIRED)
    group = pid // HEADS
    value, bias = value + first, bias + head * L * L
    query = tl.arange(0, ROWS)
    sum_bias = tl.zeros([ROWS, BLOCK], tl.float32)
    sums_at = grad_bias + pid.to(tl.int64) * ROWS * COLUMNS + query[:, None] * COLUMNS + tl.arange(0, BLOCK)[None, :]
    sum_k = tl.zeros([BLOCK_D], tl.float32)
    sum_v = tl.zeros([BLOCK_D], tl.float32)
    window = group * share
    end = tl.minimum(window + share, windows)
    while window < end:
        y, x, origin, whole = locate(window, height, width, top, left, rows, columns, WH, WW)
        maps, grad_maps = qkv + origin * 3 * C + first, grad_qkv + origin * 3 * C + first
        tokens, queries = places(query, y, x, height, width, WH, WW, PITCH, PADDED)
        q = load_exactly(maps + tokens * (3 * C), extra, D, PAIRED, BLOCK_D, DOT)
        offsets = origin * C + first + tokens * C
        grad = load_exactly(grad_out + offsets, extra, D, PAIRED, BLOCK_D, DOT)
        sums = load_sums(lse + origin * HEADS + head, tokens, queries, HEADS)
        if BLOCKS > 1:
            dots = tl.sum(load(out + offsets, D, PAIRED, BLOCK_D, tl.float32) * grad.to(tl.float32), 1)
        grad_q = tl.zeros([ROWS, BLOCK_D], tl.float32)
        for start in range(0, WH * PITCH, BLOCK):
            key = start + tl.arange(0, BLOCK)
            others, real = places(key, y, x, height, width, WH, WW, PITCH, PADDED)
            k = load_padded(maps + C + others * (3 * C), value + C, real, whole, D, PAIRED, BLOCK_D, DOT, FILL)
            v = load_padded(maps + 2 * C + others * (3 * C), value + 2 * C, real, whole, D, PAIRED, BLOCK_D, DOT, FILL)
            keys = real if MASK else number(key, WH, WW, PITCH)[1]
            tile = load_bias(bias, query, key, WH, WW, PITCH, HAS_BIAS)
            weights = tl.exp2(scores_of(q, k, tile, keys, scale, PRECISION) * LOG2E - sums[:, None])
            product = tl.dot(grad, tl.trans(v), input_precision=PRECISION)
            if BLOCKS == 1:
                dots = tl.sum(weights * product, 1)
            slope = weights * (product - dots[:, None])
            if BLOCKS == 1:
                sum_bias += slope
            elif HAS_BIAS:
                # Too much to hold: it waits in memory that is the program's own, where a thread finds what it wrote.
                before = tl.zeros([ROWS, BLOCK], tl.float32)
                if window > group * share:
                    before = tl.load(sums_at + start)
                tl.store(sums_at + start, before + slope)
            weights = weights.to(qkv.dtype.element_ty).to(DOT)
            slope = slope.to(qkv.dtype.element_ty).to(DOT)
            grad_v = tl.dot(tl.trans(weights), grad, input_precision=PRECISION)
            store(grad_maps + 2 * C + others * (3 * C), grad_v, real, extra, D, BLOCK_D)
            grad_k = tl.dot(tl.trans(slope), q, input_precision=PRECISION) * scale
            store(grad_maps + C + others * (3 * C), grad_k, real, extra, D, BLOCK_D)
            grad_q += tl.dot(slope, k, input_precision=PRECISION)
            if FILL:
                sum_k += tl.sum(tl.where(real[:, None], 0.0, grad_k), 0)
                sum_v += tl.sum(tl.where(real[:, None], 0.0, grad_v), 0)
        store(grad_maps + tokens * (3 * C), grad_q * scale, queries, extra, D, BLOCK_D)
        window += 1
        if BLOCKS > 1 and HAS_BIAS:
            tl.debug_barrier()  # should the compiler have a sum read by another thread than wrote it
    if HAS_BIAS and BLOCKS == 1:
        tl.store(sums_at, sum_bias)
    if FILL:
        pointers = grad_value + group.to(tl.int64) * 2 * C + first + tl.arange(0, BLOCK_D)
        tl.store(pointers, sum_k, mask=channels(extra, D, BLOCK_D))
        tl.store(pointers + C, sum_v, mask=channels(extra, D, BLOCK_D))


@triton.jit(do_not_specialize=SIZES)
def backward_queries(qkv, value, bias, lse, out, grad_out, grad_qkv, delta, height, width, top, left, rows, columns,
                     scale,
                     HEADS: tl.constexpr, D: tl.constexpr, PAIRED: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr,
                     PITCH: tl.constexpr, HAS_BIAS: tl.constexpr, FILL: tl.constexpr, MASK: tl.constexpr,
                     BLOCK: tl.constexpr, BLOCK_D: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr):
    """Program: (window, block of queries, head). Writes the queries' part of grad_qkv, and delta, (N, H, W, heads):
    the sums of out * grad_out, which the other two kernels read."""
    L: tl.constexpr = WH * WW
    C: tl.constexpr = HEADS * D
    BLOCKS: tl.constexpr = (WH * PITCH + BLOCK - 1) // BLOCK
    PADDED: tl.constexpr = FILL or MASK
    pid = tl.program_id(0)
    head = pid % HEADS
    first, extra = first_channel(head, D, PAIRED)
    query = pid // HEADS % BLOCKS * BLOCK + tl.arange(0, BLOCK)
    y, x, origin, whole = locate(pid // (HEADS * BLOCKS), height, width, top, left, rows, columns, WH, WW)
    value, bias = value + first, bias + head * L * L
    qkv, grad_qkv = qkv + origin * 3 * C + first, grad_qkv + origin * 3 * C + first
    tokens, queries = places(query, y, x, height, width, WH, WW, PITCH, PADDED)
    q = load_exactly(qkv + tokens * (3 * C), extra, D, PAIRED, BLOCK_D, DOT)
    offsets = origin * C + first + tokens * C
    grad = load_exactly(grad_out + offsets, extra, D, PAIRED, BLOCK_D, DOT)
    dots = tl.sum(load(out + offsets, D, PAIRED, BLOCK_D, tl.float32) * grad.to(tl.float32), 1)
    lse, delta = lse + origin * HEADS + head, delta + origin * HEADS + head
    tl.store(delta + tokens * HEADS, dots, mask=queries)
    sums = load_sums(lse, tokens, queries, HEADS)

    grad_q = tl.zeros([BLOCK, BLOCK_D], tl.float32)
    for start in range(0, WH * PITCH, BLOCK):
        key = start + tl.arange(0, BLOCK)
        others, real = places(key, y, x, height, width, WH, WW, PITCH, PADDED)
        k = load_padded(qkv + C + others * (3 * C), value + C, real, whole, D, PAIRED, BLOCK_D, DOT, FILL)
        v = load_padded(qkv + 2 * C + others * (3 * C), value + 2 * C, real, whole, D, PAIRED, BLOCK_D, DOT, FILL)
        keys = real if MASK else number(key, WH, WW, PITCH)[1]
        tile = load_bias(bias, query, key, WH, WW, PITCH, HAS_BIAS)
        _, slope = _gradient(q, k, v, grad, dots, sums, tile, keys, scale, PRECISION)
        grad_q += tl.dot(slope.to(qkv.dtype.element_ty).to(DOT), k, input_precision=PRECISION)
    store(grad_qkv + tokens * (3 * C), grad_q * scale, queries, extra, D, BLOCK_D)


@triton.jit(do_not_specialize=SIZES)
def backward_keys(qkv, value, bias, lse, delta, grad_out, grad_qkv, grad_value, height, width, top, left, rows,
                  columns, scale,
                  HEADS: tl.constexpr, D: tl.constexpr, PAIRED: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr,
                  PITCH: tl.constexpr, HAS_BIAS: tl.constexpr, FILL: tl.constexpr, MASK: tl.constexpr,
                  BLOCK: tl.constexpr, BLOCK_D: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr):
    """Program: (window, block of keys, head). Writes the keys' and values' parts of grad_qkv, and the sums of those of
    padded places, grad_value (programs / heads, 2 * C)."""
    L: tl.constexpr = WH * WW
    C: tl.constexpr = HEADS * D
    BLOCKS: tl.constexpr = (WH * PITCH + BLOCK - 1) // BLOCK
    PADDED: tl.constexpr = FILL or MASK
    pid = tl.program_id(0)
    head = pid % HEADS
    first, extra = first_channel(head, D, PAIRED)
    y, x, origin, whole = locate(pid // (HEADS * BLOCKS), height, width, top, left, rows, columns, WH, WW)
    value, bias = value + first, bias + head * L * L
    qkv, grad_qkv = qkv + origin * 3 * C + first, grad_qkv + origin * 3 * C + first
    grad_out, lse, delta = grad_out + origin * C + first, lse + origin * HEADS + head, delta + origin * HEADS + head
    key = pid // HEADS % BLOCKS * BLOCK + tl.arange(0, BLOCK)
    others, real = places(key, y, x, height, width, WH, WW, PITCH, PADDED)
    k = load_padded(qkv + C + others * (3 * C), value + C, real, whole, D, PAIRED, BLOCK_D, DOT, FILL)
    v = load_padded(qkv + 2 * C + others * (3 * C), value + 2 * C, real, whole, D, PAIRED, BLOCK_D, DOT, FILL)
    keys = real if MASK else number(key, WH, WW, PITCH)[1]

    grad_k = tl.zeros([BLOCK, BLOCK_D], tl.float32)
    grad_v = tl.zeros([BLOCK, BLOCK_D], tl.float32)
    for start in range(0, WH * PITCH, BLOCK):
        query = start + tl.arange(0, BLOCK)
        tokens, queries = places(query, y, x, height, width, WH, WW, PITCH, PADDED)
        q = load_exactly(qkv + tokens * (3 * C), extra, D, PAIRED, BLOCK_D, DOT)
        grad = load_exactly(grad_out + tokens * C, extra, D, PAIRED, BLOCK_D, DOT)
        sums = load_sums(lse, tokens, queries, HEADS)
        dots = tl.load(delta + tokens * HEADS, mask=queries, other=0.0)
        tile = load_bias(bias, query, key, WH, WW, PITCH, HAS_BIAS)
        weights, slope = _gradient(q, k, v, grad, dots, sums, tile, keys, scale, PRECISION)
        grad_v += tl.dot(tl.trans(weights.to(qkv.dtype.element_ty).to(DOT)), grad, input_precision=PRECISION)
        grad_k += tl.dot(tl.trans(slope.to(qkv.dtype.element_ty).to(DOT)), q, input_precision=PRECISION)
    grad_k *= scale
    store(grad_qkv + C + others * (3 * C), grad_k, real, extra, D, BLOCK_D)
    store(grad_qkv + 2 * C + others * (3 * C), grad_v, real, extra, D, BLOCK_D)
    if FILL:
        d = tl.arange(0, BLOCK_D)
        pointers = grad_value + (pid // HEADS).to(tl.int64) * 2 * C + first + d
        tl.store(pointers, tl.sum(tl.where(real[:, None], 0.0, grad_k), 0), mask=channels(extra, D, BLOCK_D))
        tl.store(pointers + C, tl.sum(tl.where(real[:, None], 0.0, grad_v), 0), mask=channels(extra, D, BLOCK_D))


@triton.jit(do_not_specialize=SIZES)
def backward_bias(qkv, value, bias, lse, delta, grad_out, grad_bias, height, width, top, left, rows, columns, windows,
                  share, scale,
                  HEADS: tl.constexpr, D: tl.constexpr, PAIRED: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr,
                  PITCH: tl.constexpr, HAS_BIAS: tl.constexpr, FILL: tl.constexpr, MASK: tl.constexpr,
                  BLOCK: tl.constexpr, BLOCK_D: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr):
    """Program: (`share` windows in turn, head, block of queries, block of keys). Writes the sums of these windows,
    grad_bias (groups of windows, heads, BLOCKS * BLOCK, BLOCKS * BLOCK), by the places' numbers in tiles."""
    L: tl.constexpr = WH * WW
    C: tl.constexpr = HEADS * D
    BLOCKS: tl.constexpr = (WH * PITCH + BLOCK - 1) // BLOCK
    PADDED: tl.constexpr = FILL or MASK
    pid = tl.program_id(0)
    key = pid % BLOCKS * BLOCK + tl.arange(0, BLOCK)
    query = pid // BLOCKS % BLOCKS * BLOCK + tl.arange(0, BLOCK)
    head = pid // (BLOCKS * BLOCKS) % HEADS
    first, extra = first_channel(head, D, PAIRED)
    group = pid // (BLOCKS * BLOCKS * HEADS)
    value, bias = value + first, bias + head * L * L
    tile = load_bias(bias, query, key, WH, WW, PITCH, HAS_BIAS)
    sum_bias = tl.zeros([BLOCK, BLOCK], tl.float32)
    window = group * share
    end = tl.minimum(window + share, windows)
    while window < end:
        y, x, origin, whole = locate(window, height, width, top, left, rows, columns, WH, WW)
        maps = qkv + origin * 3 * C + first
        tokens, queries = places(query, y, x, height, width, WH, WW, PITCH, PADDED)
        q = load_exactly(maps + tokens * (3 * C), extra, D, PAIRED, BLOCK_D, DOT)
        grad = load_exactly(grad_out + origin * C + first + tokens * C, extra, D, PAIRED, BLOCK_D, DOT)
        sums = load_sums(lse + origin * HEADS + head, tokens, queries, HEADS)
        dots = tl.load(delta + origin * HEADS + head + tokens * HEADS, mask=queries, other=0.0)
        others, real = places(key, y, x, height, width, WH, WW, PITCH, PADDED)
        k = load_padded(maps + C + others * (3 * C), value + C, real, whole, D, PAIRED, BLOCK_D, DOT, FILL)
        v = load_padded(maps + 2 * C + others * (3 * C), value + 2 * C, real, whole, D, PAIRED, BLOCK_D, DOT, FILL)
        keys = real if MASK else number(key, WH, WW, PITCH)[1]
        _, slope = _gradient(q, k, v, grad, dots, sums, tile, keys, scale, PRECISION)
        sum_bias += slope
        window += 1
    side: tl.constexpr = BLOCKS * BLOCK
    pointers = grad_bias + (group * HEADS + head).to(tl.int64) * side * side + query[:, None] * side + key[None, :]
    tl.store(pointers, sum_bias)
