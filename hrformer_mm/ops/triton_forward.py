"""Triton kernel of window attention, forward, and what it shares with those of the backward pass.

A program works on one head of one window, for a block of its queries or keys. It finds its places by arithmetic: the
map is (N, H, W, 3 * C) in memory, a place is a token of 3 * C channels, and a window that reaches over the map's border
has places without a token, which hold the padding's value. "Real" are the places inside the map: queries are counted
through them alone, so that none is computed that is not stored; keys are counted through the whole window.
"""

import triton
import triton.language as tl

# Values that differ from call to call: no kernel of their own where one is 1 or divisible by 16.
SIZES = ['height', 'width', 'top', 'left', 'rows', 'columns', 'windows', 'share']


@triton.jit
def locate(index, height, width, top, left, rows, columns, WH: tl.constexpr, WW: tl.constexpr):
    """Of a window: the token of its first place, were it inside the map; its first real row and column, and how many
    rows and columns are real."""
    y = index // columns % rows * WH - top
    x = index % columns * WW - left
    # Of 64 bits, since a map may have more than 2**31 elements; within a window 32 do, and save registers.
    origin = ((index // (rows * columns)).to(tl.int64) * height + y) * width + x
    first_y = tl.maximum(-y, 0)
    first_x = tl.maximum(-x, 0)
    count_y = tl.maximum(tl.minimum(height - y, WH) - first_y, 0)
    count_x = tl.maximum(tl.minimum(width - x, WW) - first_x, 0)
    return origin, first_y, first_x, count_y, count_x


@triton.jit
def real_places(index, first_y, first_x, count_y, count_x):
    """Rows and columns in the window of its real places by their number, and which numbers exist."""
    across = tl.maximum(count_x, 1)
    return first_y + index // across, first_x + index % across, index < count_y * count_x


@triton.jit
def all_places(index, first_y, first_x, count_y, count_x, WW: tl.constexpr):
    """Rows and columns in the window of all its places by their number, and which are real."""
    y = index // WW
    x = index % WW
    real = (y >= first_y) & (y < first_y + count_y) & (x >= first_x) & (x < first_x + count_x)
    return y, x, real


@triton.jit
def load(pointer, tokens, real, STRIDE: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, DOT: tl.constexpr):
    """D channels of tokens, (BLOCK, BLOCK_D), zeros where there is none."""
    d = tl.arange(0, BLOCK_D)
    return tl.load(pointer + ((tokens * STRIDE)[:, None] + d[None, :]), mask=real[:, None] & (d < D)[None, :], other=0.0).to(DOT)


@triton.jit
def load_padded(pointer, value, tokens, real, STRIDE: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr,
                DOT: tl.constexpr, FILL: tl.constexpr):
    """The same, with the padding's value in places without a token."""
    x = load(pointer, tokens, real, STRIDE, D, BLOCK_D, DOT)
    if FILL:
        d = tl.arange(0, BLOCK_D)
        filling = tl.load(value + d, mask=d < D, other=0.0).to(pointer.dtype.element_ty).to(DOT)
        x = tl.where(real[:, None], x, filling[None, :])
    return x


@triton.jit
def store(pointer, x, tokens, real, STRIDE: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr):
    d = tl.arange(0, BLOCK_D)
    tl.store(pointer + ((tokens * STRIDE)[:, None] + d[None, :]), x.to(pointer.dtype.element_ty), mask=real[:, None] & (d < D)[None, :])


@triton.jit
def load_bias(bias, query, key, L: tl.constexpr, BLOCK: tl.constexpr, HAS_BIAS: tl.constexpr):
    """The bias of pairs of places, given by their numbers in the window: (BLOCK, BLOCK)."""
    tile = tl.zeros([BLOCK, BLOCK], tl.float32)
    if HAS_BIAS:
        offsets = query[:, None] * L + key[None, :]
        tile = tl.load(bias + offsets, mask=(query < L)[:, None] & (key < L)[None, :], other=0.0).to(tl.float32)
    return tile


@triton.jit
def scores_of(q, k, bias, keys, scale, PRECISION: tl.constexpr):
    """Products and bias of a block of queries and one of keys, -inf where a key takes no part."""
    scores = tl.dot(q, tl.trans(k), input_precision=PRECISION) * scale + bias
    return tl.where(keys[None, :], scores, float('-inf'))


@triton.jit(do_not_specialize=SIZES)
def forward(qkv, value, bias, out, lse, height, width, top, left, rows, columns, scale,
            HEADS: tl.constexpr, D: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr, HAS_BIAS: tl.constexpr,
            FILL: tl.constexpr, MASK: tl.constexpr, BLOCK: tl.constexpr, BLOCK_D: tl.constexpr, DOT: tl.constexpr,
            PRECISION: tl.constexpr):
    """Program: (window, block of queries, head). Writes out (N, H, W, C) and the log of the softmax' sums,
    (N, H, W, heads)."""
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
    qkv, out, lse = qkv + origin * 3 * C + head * D, out + origin * C + head * D, lse + origin * HEADS + head
    y, x, queries = real_places(first + tl.arange(0, BLOCK), first_y, first_x, count_y, count_x)
    query = y * WW + x
    tokens = y * width + x
    q = load(qkv, tokens, queries, 3 * C, D, BLOCK_D, DOT)

    highest = tl.full([BLOCK], float('-inf'), tl.float32)
    total = tl.zeros([BLOCK], tl.float32)
    mean = tl.zeros([BLOCK, BLOCK_D], tl.float32)
    for start in range(0, L, BLOCK):
        key = start + tl.arange(0, BLOCK)
        y, x, real = all_places(key, first_y, first_x, count_y, count_x, WW)
        places = y * width + x
        k = load_padded(qkv + C, value + C, places, real, 3 * C, D, BLOCK_D, DOT, FILL)
        v = load_padded(qkv + 2 * C, value + 2 * C, places, real, 3 * C, D, BLOCK_D, DOT, FILL)
        keys = real if MASK else key < L
        tile = load_bias(bias, query, key, L, BLOCK, HAS_BIAS)
        scores = scores_of(q, k, tile, keys, scale, PRECISION)
        top_score = tl.maximum(highest, tl.max(scores, 1))
        # -inf as long as all keys were masked, and then there is nothing to subtract.
        shift = tl.where(top_score == float('-inf'), 0.0, top_score)
        weights = tl.exp(scores - shift[:, None])
        decay = tl.exp(highest - shift)
        total = total * decay + tl.sum(weights, 1)
        weights = weights.to(qkv.dtype.element_ty).to(DOT)
        mean = mean * decay[:, None] + tl.dot(weights, v, input_precision=PRECISION)
        highest = top_score
    store(out, mean / total[:, None], tokens, queries, C, D, BLOCK_D)
    tl.store(lse + tokens * HEADS, highest + tl.log(total), mask=queries)
