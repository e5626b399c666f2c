"""GELU within Triton kernels."""

import triton
import triton.language as tl

# The normal distribution's tail is a polynomial in t = 1 / (1 + SLOPE * |x|), times exp(-x**2 / 2), with an error of
# 1e-7 (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26, there for erfc): half the instructions of the
# device library's erf.
SLOPE = tl.constexpr(0.3275911 * 0.5**0.5)
A1, A2, A3 = tl.constexpr(0.127414796), tl.constexpr(-0.142248368), tl.constexpr(0.7107068705)
A4, A5 = tl.constexpr(-0.7265760135), tl.constexpr(0.5307027145)
HALF_LOG2E = tl.constexpr(0.7213475204444817)
ROOT_2PI = tl.constexpr(0.3989422804014327)  # 1 over it


@triton.jit
def gelu(x):
    """x * Phi(x) of float32, Phi being the normal distribution's function."""
    size = tl.abs(x)
    root = tl.rsqrt(size * SLOPE + 1.0)
    t = root * root  # a division takes more instructions
    tail = t * (A1 + t * (A2 + t * (A3 + t * (A4 + t * A5)))) * tl.exp2(x * x * -HALF_LOG2E)
    return tl.maximum(x, 0.0) - size * tail


@triton.jit
def gelu_and_slope(x):
    """x * Phi(x) of float32, and its derivative."""
    size = tl.abs(x)
    root = tl.rsqrt(size * SLOPE + 1.0)
    t = root * root
    density = tl.exp2(x * x * -HALF_LOG2E)
    tail = t * (A1 + t * (A2 + t * (A3 + t * (A4 + t * A5)))) * density
    probability = tl.where(x > 0, 1.0 - tail, tail)
    return x * probability, probability + x * density * ROOT_2PI
