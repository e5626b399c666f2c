"""CUDA graphs for inference: a forward pass is recorded for every size and replayed, in one launch of the host."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

SIZES = 8  # recorded at a time; each holds the memory of a forward pass
Outputs = tuple[Tensor, ...]


class Recording:
    """A function's work on the GPU for inputs of one size, or of fewer images.

    Args:
        function (callable): From a tensor to tensors; it has run at this size before.
        x (Tensor): (N, C, H, W), on CUDA.
    """

    def __init__(self, function: Callable[[Tensor], Outputs], x: Tensor) -> None:
        self.input = x.clone()
        self.graph = torch.cuda.CUDAGraph()
        self.done = torch.cuda.Event()
        # Other threads may use the GPU meanwhile.
        with torch.cuda.device(x.device), torch.cuda.graph(self.graph, capture_error_mode='thread_local'):
            self.outputs = function(self.input)

    def __call__(self, x: Tensor) -> Outputs:
        """Outputs for N images at most, of their own memory, which the next call leaves alone."""
        with torch.cuda.device(x.device):
            self.done.wait()  # for the call before, which may have been on another stream
            self.input[:len(x)].copy_(x)
            self.graph.replay()
            outputs = tuple(y[:len(x)].clone() for y in self.outputs)
            self.done.record()
        return outputs


def bucket(images: int) -> int:
    """How many images are computed for so many: powers of two up to 8, and multiples of 8."""
    return 1 << (images - 1).bit_length() if images <= 8 else -(-images // 8) * 8


def fill_up(x: Tensor, images: int) -> Tensor:
    """(N, C, H, W) with images of zeros behind, in the same layout."""
    full = torch.empty_strided((images, *x.shape[1:]), x.stride(), dtype=x.dtype, device=x.device)
    full[:len(x)].copy_(x)
    full[len(x):].zero_()
    return full


class GraphedCalls:
    """Calls of a module with one tensor, replayed from CUDA graphs at sizes that came before.

    The first call at a size runs as ever, which compiles and chooses what has to be; the second records. Batches are
    filled up, see :func:`bucket`, so that people in a picture do not make a size for every number of them; heights and
    widths are not, since that would change results. Of several threads one at a time runs. On the CPU, in training,
    with gradients, with other arguments, and while a graph is made by anyone else, the module is called itself.

    Args:
        module (nn.Module): From (N, C, H, W) to maps, each image by itself. Its weights may change their values; if they
            are moved, as by `module.to`, all sizes are new.
        function (callable): Its `forward`.
        sizes (int): How many are kept: the one that was not used for longest goes first.
        record (callable): Makes a :class:`Recording`.
    """

    def __init__(self, module: nn.Module, function: Callable[..., Outputs], sizes: int = SIZES,
                 record: Callable[[Callable, Tensor], Callable[[Tensor], Outputs]] = Recording) -> None:
        self.module = module
        self.function = function
        self.sizes = sizes
        self.record = record
        self._lock = threading.Lock()
        self._recordings: OrderedDict[tuple, Any] = OrderedDict()  # None: seen once

    def __reduce__(self) -> tuple:
        """A copy records anew, with its own weights."""
        return GraphedCalls, (self.module, self.function, self.sizes, self.record)

    def __call__(self, *args: Any, **kwargs: Any) -> Outputs:
        if kwargs or len(args) != 1 or self.module.training or not self._fits(args[0]):
            return self.function(*args, **kwargs)
        x, = args
        images = bucket(len(x))
        weight = next(self.module.parameters(), None)
        # A recording holds the casts of autocast and the weights' addresses, and writes to tensors of its mode.
        key = (images, x.shape[1:], x.stride(), x.dtype, x.device, torch.is_autocast_enabled('cuda'),
               torch.get_autocast_dtype('cuda'), torch.is_inference_mode_enabled(),
               None if weight is None else weight.data_ptr())
        with self._lock:
            known = key in self._recordings
            recording = self._recordings.pop(key, None)
            if known and recording is None:
                recording = self.record(self.function, fill_up(x, images))
            self._recordings[key] = recording
            while len(self._recordings) > self.sizes:
                self._recordings.popitem(last=False)
            if recording is not None:
                return recording(x)
            if images == len(x):
                return self.function(x)
            return tuple(y[:len(x)].clone() for y in self.function(fill_up(x, images)))

    @staticmethod
    def _fits(x: Any) -> bool:
        return (isinstance(x, Tensor) and x.is_cuda and x.dim() == 4 and len(x) > 0 and not torch.is_grad_enabled()
                and not torch.compiler.is_compiling() and not torch.jit.is_tracing()
                and not torch.cuda.is_current_stream_capturing())


def replay_calls(module: nn.Module) -> None:
    """Have a module's calls replayed, see :class:`GraphedCalls`; parameters and names stay what they are."""
    module.forward = GraphedCalls(module, module.forward)
