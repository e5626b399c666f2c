"""A function's work on the GPU as a CUDA graph, and what such recordings share."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..layers import side_streams

Outputs = tuple[Tensor, ...]
SIDE_STREAMS = 3  # beside the one that a recording begins on: HRFormer has four branches
_unended: list[Any] = []  # graphs whose end has failed: allocators may ask them for good


class Pool:
    """What recordings on a device share: memory, the streams they are made on, and an event for taking turns.

    Recordings may write to the same memory, in whichever order they are replayed: a replay reads what it has written
    itself, its input, and weights, which are elsewhere, and when the next one begins its outputs have been copied. The
    streams are the same for all, since the allocator gives freed memory to the stream that it was of.

    A pool must not outlive its last recording: PyTorch takes up none whose graphs are gone.

    Args:
        device (torch.device): With its number.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.memory = torch.cuda.graph_pool_handle()
        self.stream, *self.sides = (torch.cuda.Stream(device) for _ in range(1 + SIDE_STREAMS))
        self.done = torch.cuda.Event()

    @contextmanager
    def record(self, graph: torch.cuda.CUDAGraph) -> Iterator[None]:
        """Record what is done within. After an error, which is raised, PyTorch is as before."""
        reason = None
        # PyTorch stays on the stream of a recording whose end fails.
        with torch.cuda.device(self.device), torch.cuda.stream(torch.cuda.current_stream(self.device)):
            # Those of matrix products stay with their stream: what a recording holds, nobody else may use.
            torch._C._cuda_clearCublasWorkspaces()
            try:
                # Other threads may use the GPU meanwhile.
                with torch.cuda.graph(graph, self.memory, self.stream, 'thread_local'), side_streams(self.sides):
                    try:
                        yield
                    except BaseException as error:
                        reason = error  # which an end that fails too would hide
                        raise
            except BaseException as error:
                self._end(graph)
                raise reason or error
            finally:
                reason = None  # in a circle with its traceback it would keep the memory
                torch._C._cuda_clearCublasWorkspaces()

    def _end(self, graph: torch.cuda.CUDAGraph) -> None:
        """Do what is left undone by a graph whose end has failed, as after what no recording can hold.

        As long as the allocator takes a recording to be under way, it gives no memory back when it runs out.
        """
        end = getattr(torch._C, '_cuda_endAllocateToPool', None)
        end = end or torch._C._cuda_endAllocateCurrentStreamToPool  # its name before PyTorch 2.8
        try:
            end(self.device.index, self.memory)
        except RuntimeError:  # it has ended in order
            return
        torch._C._cuda_releasePool(self.device.index, self.memory)
        _unended.append(graph)
        # Random numbers of the device fail until a recording ends well: any does.
        with torch.cuda.graph(torch.cuda.CUDAGraph(), None, self.stream, 'thread_local'):
            torch.zeros(1, device=self.device)


class Recording:
    """A function's work on the GPU for inputs of one size, or of fewer images.

    Args:
        function (callable): From a tensor to tensors, each image by itself; this thread has run it at this size before.
        x (Tensor): (N, C, H, W), on CUDA; of the size and layout of inputs.
        pools (MutableMapping): The pools of recordings by device, to share, where a new one is added.
    """

    def __init__(self, function: Callable[[Tensor], Outputs], x: Tensor,
                 pools: MutableMapping[torch.device, Pool]) -> None:
        self.pool = pools.get(x.device) or Pool(x.device)
        pools[x.device] = self.pool
        self.graph = torch.cuda.CUDAGraph()
        with self.pool.record(self.graph):
            self.input = torch.empty_like(x)
            self.outputs = function(self.input)

    def __call__(self, x: Tensor) -> Outputs:
        """Outputs for N images at most, of their own memory, which the next call leaves alone."""
        with torch.cuda.device(x.device):
            self.pool.done.wait()  # for the replay before, which may have been another's, or on another stream
            try:
                self.input[:len(x)].copy_(x)
                self.input[len(x):].zero_()  # others write here
                self.graph.replay()
                return tuple(y[:len(x)].clone() for y in self.outputs)
            finally:
                self.pool.done.record()
