"""Triton kernels of window attention, backward; :mod:`.triton_forward` says how they find their places.

Nothing is added up by atomics: a program has a fixed share of the windows, writes its own sums of the gradients that
all windows share, and these are added in a fixed order afterwards. The same inputs give the same gradients.

Loops whose end is known at run time alone are `while`: the interpreter takes no other with NumPy 2.4.
"""

import triton
import triton.language as tl

from .triton_forward import SIZES, all_places, load, load_bias, load_padded, locate, real_places, scores_of, store


@triton.jit
def _gradient(q, k, v, grad, delta, lse, bias, queries, keys, scale, PRECISION: tl.constexpr):
    """The probabilities, made anew, and the gradient of the scores."""
    scores = scores_of(q, k, bias, keys, scale, PRECISION)
    weights = tl.where(queries[:, None], tl.exp(scores - lse[:, None]), 0.0)
    return weights, weights * (tl.dot(grad, tl.trans(v), input_precision=PRECISION) - delta[:, None])


@triton.jit(do_not_specialize=SIZES)
def backward_whole(qkv, value, bias, lse, grad_out, grad_qkv, grad_value, grad_bias, height, width, top, left, rows,
                   columns, windows, share, scale,
                   HEADS: tl.constexpr, D: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr, HAS_BIAS: tl.constexpr,
                   FILL: tl.constexpr, MASK: tl.constexpr, BLOCK: tl.constexpr, BLOCK_D: tl.constexpr,
                   DOT: tl.constexpr, PRECISION: tl.constexpr):
    """All gradients where a window is one block. Program: (`share` windows in turn, head).

    Writes grad_qkv, and of the program's windows the sums of grad_bias (programs / heads, heads, L, L) and of
    grad_value (programs / heads, 2 * C), keys and values of padded places.
    """
    L: tl.constexpr = WH * WW
    C: tl.constexpr = HEADS * D
    pid = tl.program_id(0)
    head = pid % HEADS
    group = pid // HEADS
    value, bias = value + head * D, bias + head * L * L
    index = tl.arange(0, BLOCK)
    d = tl.arange(0, BLOCK_D)
    tile = load_bias(bias, index, index, L, BLOCK, HAS_BIAS)
    sum_bias = tl.zeros([BLOCK, BLOCK], tl.float32)
    sum_k = tl.zeros([BLOCK_D], tl.float32)
    sum_v = tl.zeros([BLOCK_D], tl.float32)
    window = group * share
    end = tl.minimum(window + share, windows)
    while window < end:
        origin, first_y, first_x, count_y, count_x = locate(window, height, width, top, left, rows, columns, WH, WW)
        maps, grad_maps = qkv + origin * 3 * C + head * D, grad_qkv + origin * 3 * C + head * D
        y, x, real = all_places(index, first_y, first_x, count_y, count_x, WW)
        tokens = y * width + x
        q = load(maps, tokens, real, 3 * C, D, BLOCK_D, DOT)
        k = load_padded(maps + C, value + C, tokens, real, 3 * C, D, BLOCK_D, DOT, FILL)
        v = load_padded(maps + 2 * C, value + 2 * C, tokens, real, 3 * C, D, BLOCK_D, DOT, FILL)
        grad = load(grad_out + origin * C + head * D, tokens, real, C, D, BLOCK_D, DOT)
        sums = tl.load(lse + origin * HEADS + head + tokens * HEADS, mask=real, other=0.0)
        keys = real if MASK else index < L
        scores = scores_of(q, k, tile, keys, scale, PRECISION)
        weights = tl.where(real[:, None], tl.exp(scores - sums[:, None]), 0.0)
        product = tl.dot(grad, tl.trans(v), input_precision=PRECISION)
        slope = weights * (product - tl.sum(weights * product, 1)[:, None])
        sum_bias += slope
        weights = weights.to(qkv.dtype.element_ty).to(DOT)
        slope = slope.to(qkv.dtype.element_ty).to(DOT)
        grad_v = tl.dot(tl.trans(weights), grad, input_precision=PRECISION)
        store(grad_maps + 2 * C, grad_v, tokens, real, 3 * C, D, BLOCK_D)
        grad_k = tl.dot(tl.trans(slope), q, input_precision=PRECISION) * scale
        store(grad_maps + C, grad_k, tokens, real, 3 * C, D, BLOCK_D)
        grad_q = tl.dot(slope, k, input_precision=PRECISION) * scale
        store(grad_maps, grad_q, tokens, real, 3 * C, D, BLOCK_D)
        if FILL:
            sum_k += tl.sum(tl.where(real[:, None], 0.0, grad_k), 0)
            sum_v += tl.sum(tl.where(real[:, None], 0.0, grad_v), 0)
        window += 1
    if HAS_BIAS:
        pointers = grad_bias + pid.to(tl.int64) * L * L + index[:, None] * L + index[None, :]
        tl.store(pointers, sum_bias, mask=(index < L)[:, None] & (index < L)[None, :])
    if FILL:
        pointers = grad_value + group.to(tl.int64) * 2 * C + head * D + d
        tl.store(pointers, sum_k, mask=d < D)
        tl.store(pointers + C, sum_v, mask=d < D)


@triton.jit(do_not_specialize=SIZES)
def backward_queries(qkv, value, bias, lse, out, grad_out, grad_qkv, delta, height, width, top, left, rows, columns,
                     scale,
                     HEADS: tl.constexpr, D: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr,
                     HAS_BIAS: tl.constexpr, FILL: tl.constexpr, MASK: tl.constexpr, BLOCK: tl.constexpr,
                     BLOCK_D: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr):
    """Program: (window, block of queries, head). Writes the queries' part of grad_qkv, and delta, (N, H, W, heads):
    the sums of out * grad_out, which the other two kernels read."""
    L: tl.constexpr = WH * WW
    C: tl.constexpr = HEADS * D
    BLOCKS: tl.constexpr = (L + BLOCK - 1) // BLOCK
    pid = tl.program_id(0)
    head = pid % HEADS
    first = pid // HEADS % BLOCKS * BLOCK
    origin, first_y, first_x, count_y, count_x = locate(pid // (HEADS * BLOCKS), height, width, top, left, rows,
                                                        columns, WH, WW)
    if first >= count_y * count_x:
        return
    value, bias = value + head * D, bias + head * L * L
    qkv, grad_qkv = qkv + origin * 3 * C + head * D, grad_qkv + origin * 3 * C + head * D
    out, grad_out = out + origin * C + head * D, grad_out + origin * C + head * D
    lse, delta = lse + origin * HEADS + head, delta + origin * HEADS + head
    y, x, queries = real_places(first + tl.arange(0, BLOCK), first_y, first_x, count_y, count_x)
    query = y * WW + x
    tokens = y * width + x
    q = load(qkv, tokens, queries, 3 * C, D, BLOCK_D, DOT)
    grad = load(grad_out, tokens, queries, C, D, BLOCK_D, DOT)
    outputs = load(out, tokens, queries, C, D, BLOCK_D, tl.float32)
    dots = tl.sum(outputs * grad.to(tl.float32), 1)
    tl.store(delta + tokens * HEADS, dots, mask=queries)
    sums = tl.load(lse + tokens * HEADS, mask=queries, other=0.0)

    grad_q = tl.zeros([BLOCK, BLOCK_D], tl.float32)
    for start in range(0, L, BLOCK):
        key = start + tl.arange(0, BLOCK)
        y, x, real = all_places(key, first_y, first_x, count_y, count_x, WW)
        places = y * width + x
        k = load_padded(qkv + C, value + C, places, real, 3 * C, D, BLOCK_D, DOT, FILL)
        v = load_padded(qkv + 2 * C, value + 2 * C, places, real, 3 * C, D, BLOCK_D, DOT, FILL)
        keys = real if MASK else key < L
        tile = load_bias(bias, query, key, L, BLOCK, HAS_BIAS)
        _, slope = _gradient(q, k, v, grad, dots, sums, tile, queries, keys, scale, PRECISION)
        grad_q += tl.dot(slope.to(qkv.dtype.element_ty).to(DOT), k, input_precision=PRECISION)
    store(grad_qkv, grad_q * scale, tokens, queries, 3 * C, D, BLOCK_D)


@triton.jit(do_not_specialize=SIZES)
def backward_keys(qkv, value, bias, lse, delta, grad_out, grad_qkv, grad_value, height, width, top, left, rows,
                  columns, scale,
                  HEADS: tl.constexpr, D: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr, HAS_BIAS: tl.constexpr,
                  FILL: tl.constexpr, MASK: tl.constexpr, BLOCK: tl.constexpr, BLOCK_D: tl.constexpr,
                  DOT: tl.constexpr, PRECISION: tl.constexpr):
    """Program: (window, block of keys, head). Writes the keys' and values' parts of grad_qkv, and the sums of those of
    padded places, grad_value (programs / heads, 2 * C)."""
    L: tl.constexpr = WH * WW
    C: tl.constexpr = HEADS * D
    BLOCKS: tl.constexpr = (L + BLOCK - 1) // BLOCK
    pid = tl.program_id(0)
    head = pid % HEADS
    origin, first_y, first_x, count_y, count_x = locate(pid // (HEADS * BLOCKS), height, width, top, left, rows,
                                                        columns, WH, WW)
    value, bias = value + head * D, bias + head * L * L
    qkv, grad_qkv = qkv + origin * 3 * C + head * D, grad_qkv + origin * 3 * C + head * D
    grad_out, lse, delta = grad_out + origin * C + head * D, lse + origin * HEADS + head, delta + origin * HEADS + head
    key = pid // HEADS % BLOCKS * BLOCK + tl.arange(0, BLOCK)
    y, x, real = all_places(key, first_y, first_x, count_y, count_x, WW)
    places = y * width + x
    k = load_padded(qkv + C, value + C, places, real, 3 * C, D, BLOCK_D, DOT, FILL)
    v = load_padded(qkv + 2 * C, value + 2 * C, places, real, 3 * C, D, BLOCK_D, DOT, FILL)
    keys = real if MASK else key < L

    grad_k = tl.zeros([BLOCK, BLOCK_D], tl.float32)
    grad_v = tl.zeros([BLOCK, BLOCK_D], tl.float32)
    start = 0
    while start < count_y * count_x:
        y, x, queries = real_places(start + tl.arange(0, BLOCK), first_y, first_x, count_y, count_x)
        tokens = y * width + x
        q = load(qkv, tokens, queries, 3 * C, D, BLOCK_D, DOT)
        grad = load(grad_out, tokens, queries, C, D, BLOCK_D, DOT)
        sums = tl.load(lse + tokens * HEADS, mask=queries, other=0.0)
        dots = tl.load(delta + tokens * HEADS, mask=queries, other=0.0)
        tile = load_bias(bias, y * WW + x, key, L, BLOCK, HAS_BIAS)
        weights, slope = _gradient(q, k, v, grad, dots, sums, tile, queries, keys, scale, PRECISION)
        grad_v += tl.dot(tl.trans(weights.to(qkv.dtype.element_ty).to(DOT)), grad, input_precision=PRECISION)
        grad_k += tl.dot(tl.trans(slope.to(qkv.dtype.element_ty).to(DOT)), q, input_precision=PRECISION)
        start += BLOCK
    grad_k *= scale
    store(grad_qkv + C, grad_k, places, real, 3 * C, D, BLOCK_D)
    store(grad_qkv + 2 * C, grad_v, places, real, 3 * C, D, BLOCK_D)
    if FILL:
        d = tl.arange(0, BLOCK_D)
        pointers = grad_value + (pid // HEADS).to(tl.int64) * 2 * C + head * D + d
        tl.store(pointers, tl.sum(tl.where(real[:, None], 0.0, grad_k), 0), mask=d < D)
        tl.store(pointers + C, tl.sum(tl.where(real[:, None], 0.0, grad_v), 0), mask=d < D)


@triton.jit(do_not_specialize=SIZES)
def backward_bias(qkv, value, bias, lse, delta, grad_out, grad_bias, height, width, top, left, rows, columns, windows,
                  share, scale,
                  HEADS: tl.constexpr, D: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr, HAS_BIAS: tl.constexpr,
                  FILL: tl.constexpr, MASK: tl.constexpr, BLOCK: tl.constexpr, BLOCK_D: tl.constexpr,
                  DOT: tl.constexpr, PRECISION: tl.constexpr):
    """Program: (`share` windows in turn, head, block of queries, block of keys). Writes the sums of these windows,
    grad_bias (groups of windows, heads, L, L)."""
    L: tl.constexpr = WH * WW
    C: tl.constexpr = HEADS * D
    BLOCKS: tl.constexpr = (L + BLOCK - 1) // BLOCK
    pid = tl.program_id(0)
    key = pid % BLOCKS * BLOCK + tl.arange(0, BLOCK)
    query = pid // BLOCKS % BLOCKS * BLOCK + tl.arange(0, BLOCK)
    head = pid // (BLOCKS * BLOCKS) % HEADS
    group = pid // (BLOCKS * BLOCKS * HEADS)
    value, bias = value + head * D, bias + head * L * L
    tile = load_bias(bias, query, key, L, BLOCK, HAS_BIAS)
    sum_bias = tl.zeros([BLOCK, BLOCK], tl.float32)
    window = group * share
    end = tl.minimum(window + share, windows)
    while window < end:
        origin, first_y, first_x, count_y, count_x = locate(window, height, width, top, left, rows, columns, WH, WW)
        maps = qkv + origin * 3 * C + head * D
        y, x, queries = all_places(query, first_y, first_x, count_y, count_x, WW)
        tokens = y * width + x
        q = load(maps, tokens, queries, 3 * C, D, BLOCK_D, DOT)
        grad = load(grad_out + origin * C + head * D, tokens, queries, C, D, BLOCK_D, DOT)
        sums = tl.load(lse + origin * HEADS + head + tokens * HEADS, mask=queries, other=0.0)
        dots = tl.load(delta + origin * HEADS + head + tokens * HEADS, mask=queries, other=0.0)
        y, x, real = all_places(key, first_y, first_x, count_y, count_x, WW)
        places = y * width + x
        k = load_padded(maps + C, value + C, places, real, 3 * C, D, BLOCK_D, DOT, FILL)
        v = load_padded(maps + 2 * C, value + 2 * C, places, real, 3 * C, D, BLOCK_D, DOT, FILL)
        keys = real if MASK else key < L
        _, slope = _gradient(q, k, v, grad, dots, sums, tile, queries, keys, scale, PRECISION)
        sum_bias += slope
        window += 1
    pointers = grad_bias + (group * HEADS + head).to(tl.int64) * L * L + query[:, None] * L + key[None, :]
    tl.store(pointers, sum_bias, mask=(query < L)[:, None] & (key < L)[None, :])
