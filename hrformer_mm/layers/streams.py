"""Independent parts of a network side by side on CUDA streams, while a CUDA graph is recorded."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import TypeVar

import torch

Result = TypeVar('Result')
_recording = threading.local()


@contextmanager
def side_streams(streams: Sequence[torch.cuda.Stream]) -> Iterator[None]:
    """Have :func:`side_by_side` use these streams beside the current one, in this thread."""
    previous = getattr(_recording, 'streams', ())
    _recording.streams = streams
    try:
        yield
    finally:
        _recording.streams = previous


def side_by_side(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """The results of functions none of which needs another's: one after the other, or within :func:`side_streams`, the
    first on the current stream and the others beside it. Functions that run so do not fork once more.

    The allocator knows nothing of this: a stream gets at once what is freed of its own memory, whoever still reads it.
    But between fork and join nothing is freed that two streams read: the functions hold their inputs, the list holds
    the results, and the rest is a function's own. Memory that is freed later is given anew after the join, in which the
    current stream waits for all others, or after the next fork, in which they wait for it.

    Args:
        calls (Sequence[Callable]): They hold their inputs, and write to tensors of their own alone.
    """
    streams = () if torch.compiler.is_compiling() else getattr(_recording, 'streams', ())
    if not streams or len(calls) < 2:
        return [call() for call in calls]
    main, beside = torch.cuda.current_stream(), streams[:len(calls) - 1]
    for stream in beside:
        stream.wait_stream(main)
    try:
        with side_streams(()):
            results = [calls[0]()]
            for stream, call in zip(cycle(beside), calls[1:]):
                with torch.cuda.stream(stream):
                    results.append(call())
    finally:
        # After an error as well: a recording with a fork that was not joined cannot be ended in order.
        for stream in beside:
            main.wait_stream(stream)
    return results
