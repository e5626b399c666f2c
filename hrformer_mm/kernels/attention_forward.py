"""Triton kernel of window attention, forward, and what it shares with those of the backward pass.

A program works on one head of one window, for a block of its queries or keys. It finds its places by arithmetic: the
map is (N, H, W, 3 * C) in memory, a place is a token of 3 * C channels, and a window that reaches over the map's border
has places without a token, which hold the padding's value. "Real" are the places inside the map. Rows of a tile that
are not real are read all the same, from a place that is, or from the padding's value, and take no part: a mask for each
element would cost more instructions than the products.
"""

import triton
import triton.language as tl

# Values that differ from call to call: no kernel of their own where one is 1 or divisible by 16.
SIZES = ['height', 'width', 'top', 'left', 'rows', 'columns', 'windows', 'share']
LOG2E = tl.constexpr(1.4426950408889634)  # the machine has powers of two


@triton.jit
def locate(index, height, width, top, left, rows, columns, WH: tl.constexpr, WW: tl.constexpr):
    """Of a window: its first row and column in the map, the token there, were it inside the map, and whether all of the
    window is inside."""
    y = index // columns % rows * WH - top
    x = index % columns * WW - left
    # Of 64 bits, since a map may have more than 2**31 elements; within a window 32 do, and save registers.
    origin = ((index // (rows * columns)).to(tl.int64) * height + y) * width + x
    return y, x, origin, (y >= 0) & (x >= 0) & (y + WH <= height) & (x + WW <= width)


@triton.jit
def number(index, WH: tl.constexpr, WW: tl.constexpr, PITCH: tl.constexpr):
    """Of places counted with PITCH to a row of the window: their number, as the bias counts them, and which exist; any
    number for those that do not."""
    row, column = index // PITCH, index % PITCH
    return tl.minimum(row, WH - 1) * WW + tl.minimum(column, WW - 1), (row < WH) & (column < WW)


@triton.jit
def places(index, y, x, height, width, WH: tl.constexpr, WW: tl.constexpr, PITCH: tl.constexpr, PADDED: tl.constexpr):
    """Of places counted so: their tokens, from the window's first on, and which are real; for those that are not, a
    token of the same window, or one beside it if it has none."""
    row, column = index // PITCH, index % PITCH
    if PADDED:
        real = (row < WH) & (column < WW) & (row >= -y) & (row < height - y) & (column >= -x) & (column < width - x)
        inside = tl.minimum(tl.maximum(-y, 0), height - 1 - y) * width + tl.minimum(tl.maximum(-x, 0), width - 1 - x)
        tokens = tl.where(real, row * width + column, inside)
    else:
        real = (row < WH) & (column < WW)
        tokens = tl.minimum(row, WH - 1) * width + tl.minimum(column, WW - 1)
    return tokens, real


@triton.jit
def first_channel(head, D: tl.constexpr, PAIRED: tl.constexpr):
    """Where the tiles of a head begin, and how many channels that is before the head."""
    extra = head % 2 if PAIRED else 0
    # Written so that the compiler sees an even number.
    return head // 2 * (2 * D) + extra * (D - 1) if PAIRED else head * D, extra


@triton.jit
def channels(extra, D: tl.constexpr, BLOCK_D: tl.constexpr):
    """Which columns of a tile are the head's. Before them are `extra`: where PAIRED, 39 channels of a head begin at odd
    places for every other head, and tiles one channel before, so that they can be read in pairs."""
    d = tl.arange(0, BLOCK_D)
    return (d >= extra) & (d < D + extra)


@triton.jit
def load(rows, D: tl.constexpr, PAIRED: tl.constexpr, BLOCK_D: tl.constexpr, DOT: tl.constexpr):
    """Channels from each of the pointers on, (rows, BLOCK_D), and zeros. Where PAIRED, one is not the head's."""
    d = tl.arange(0, BLOCK_D)
    return tl.load(rows[:, None] + d[None, :], mask=(d < D + PAIRED)[None, :], other=0.0).to(DOT)


@triton.jit
def load_exactly(rows, extra, D: tl.constexpr, PAIRED: tl.constexpr, BLOCK_D: tl.constexpr, DOT: tl.constexpr):
    """The head's channels and zeros, which one side of every sum over channels has to be."""
    x = load(rows, D, PAIRED, BLOCK_D, DOT)
    return tl.where(channels(extra, D, BLOCK_D)[None, :], x, 0.0) if PAIRED else x


@triton.jit
def load_padded(rows, value, real, whole, D: tl.constexpr, PAIRED: tl.constexpr, BLOCK_D: tl.constexpr,
                DOT: tl.constexpr, FILL: tl.constexpr):
    """As :func:`load`, with the padding's value in rows that are not real, of a window that is not whole."""
    x = load(rows, D, PAIRED, BLOCK_D, DOT)
    if FILL:
        if not whole:
            d = tl.arange(0, BLOCK_D)
            filling = tl.load(value + d, mask=d < D + PAIRED, other=0.0).to(DOT)
            x = tl.where(real[:, None], x, filling[None, :])
    return x


@triton.jit
def store(rows, x, real, extra, D: tl.constexpr, BLOCK_D: tl.constexpr):
    """The head's channels of a tile."""
    mask = real[:, None] & channels(extra, D, BLOCK_D)[None, :]
    tl.store(rows[:, None] + tl.arange(0, BLOCK_D)[None, :], x.to(rows.dtype.element_ty), mask=mask)


@triton.jit
def load_bias(bias, query, key, WH: tl.constexpr, WW: tl.constexpr, PITCH: tl.constexpr,
              HAS_BIAS: tl.constexpr):
    """The bias of pairs of places, (queries, keys); anything for those that do not exist."""
    tile = tl.zeros([query.shape[0], key.shape[0]], tl.float32)
    if HAS_BIAS:
        rows, _ = number(query, WH, WW, PITCH)
        columns, _ = number(key, WH, WW, PITCH)
        tile = tl.load((bias + rows * (WH * WW))[:, None] + columns[None, :]).to(tl.float32)
    return tile


@triton.jit
def scores_of(q, k, bias, keys, scale, PRECISION: tl.constexpr):
    """Products and bias of a block of queries and one of keys, -inf where a key takes no part."""
    scores = tl.dot(q, tl.trans(k), input_precision=PRECISION) * scale + bias
    return tl.where(keys[None, :], scores, float('-inf'))


@triton.jit(do_not_specialize=SIZES)
def forward(qkv, value, bias, out, lse, height, width, top, left, rows, columns, scale,
            HEADS: tl.constexpr, D: tl.constexpr, PAIRED: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr,
            PITCH: tl.constexpr, HAS_BIAS: tl.constexpr, FILL: tl.constexpr, MASK: tl.constexpr, ROWS: tl.constexpr,
            BLOCK: tl.constexpr, BLOCK_D: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr):
    """Program: (window, block of queries, head). Writes out (N, H, W, C) and the binary logarithm of the softmax' sums,
    (N, H, W, heads)."""
    L: tl.constexpr = WH * WW
    C: tl.constexpr = HEADS * D
    PARTS: tl.constexpr = (WH * PITCH + ROWS - 1) // ROWS
    PADDED: tl.constexpr = FILL or MASK
    pid = tl.program_id(0)
    head = pid % HEADS
    first, extra = first_channel(head, D, PAIRED)
    query = pid // HEADS % PARTS * ROWS + tl.arange(0, ROWS)
    y, x, origin, whole = locate(pid // (HEADS * PARTS), height, width, top, left, rows, columns, WH, WW)
    value, bias = value + first, bias + head * L * L
    qkv, out, lse = qkv + origin * 3 * C + first, out + origin * C + first, lse + origin * HEADS + head
    tokens, queries = places(query, y, x, height, width, WH, WW, PITCH, PADDED)
    q = load_exactly(qkv + tokens * (3 * C), extra, D, PAIRED, BLOCK_D, DOT)

    highest = tl.full([ROWS], float('-inf'), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    mean = tl.zeros([ROWS, BLOCK_D], tl.float32)
    for start in range(0, WH * PITCH, BLOCK):
        key = start + tl.arange(0, BLOCK)
        others, real = places(key, y, x, height, width, WH, WW, PITCH, PADDED)
        k = load_padded(qkv + C + others * (3 * C), value + C, real, whole, D, PAIRED, BLOCK_D, DOT, FILL)
        v = load_padded(qkv + 2 * C + others * (3 * C), value + 2 * C, real, whole, D, PAIRED, BLOCK_D, DOT, FILL)
        keys = real if MASK else number(key, WH, WW, PITCH)[1]
        scores = scores_of(q, k, load_bias(bias, query, key, WH, WW, PITCH, HAS_BIAS), keys, scale, PRECISION)
        top_score = tl.maximum(highest, tl.max(scores, 1))
        shift = top_score * LOG2E
        if MASK:  # -inf as long as all keys were masked, and then there is nothing to subtract
            shift = tl.where(top_score == float('-inf'), 0.0, shift)
        weights = tl.exp2(scores * LOG2E - shift[:, None])
        decay = tl.exp2(highest * LOG2E - shift)
        total = total * decay + tl.sum(weights, 1)
        weights = weights.to(qkv.dtype.element_ty).to(DOT)
        mean = mean * decay[:, None] + tl.dot(weights, v, input_precision=PRECISION)
        highest = top_score
    store(out + tokens * C, mean * (1.0 / total)[:, None], queries, extra, D, BLOCK_D)
    tl.store(lse + tokens * HEADS, highest * LOG2E + tl.log2(total), mask=queries)
