"""CUDA graphs for inference: a forward pass is recorded for every size and replayed, in one launch of the host."""

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from typing import Any, Optional
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from ..ops import backends
from .recording import Outputs, Recording

SIZES = 8  # recorded at a time
REFUSED = 256  # sizes that are remembered because they could not be recorded


def bucket(images: int) -> int:
    """How many images are computed for so many: powers of two up to 8, and multiples of 8."""
    return 1 << (images - 1).bit_length() if images <= 8 else -(-images // 8) * 8


def fill_up(x: Tensor, images: int) -> Tensor:
    """(N, C, H, W) with images of zeros behind; channels-last memory stays what it is."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    full = torch.empty((images, *x.shape[1:]), dtype=x.dtype, device=x.device,
                       memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    full[:len(x)].copy_(x)
    full[len(x):].zero_()
    return full


class GraphedCalls:
    """Calls of a module with one tensor, replayed from CUDA graphs at sizes that came before.

    The first call at a size runs as ever, which compiles and chooses what has to be; so does the second, and then the
    size is recorded. One that cannot be, for want of memory or because of what the module does, runs as ever from then
    on, which is said once; all recordings are dropped then, so that their memory is free, and made anew.

    Batches are filled up, see :func:`bucket`, so that people in a picture do not make a size for every number of them;
    heights and widths are not, since that would change results. Of several threads one at a time runs. On the CPU, in
    training, with gradients, with other arguments, and while anyone else makes a graph, the module is called itself.

    Args:
        module (nn.Module): From (N, C, H, W) to maps, each image by itself. Its weights may change their values; if
            they are moved, as by `module.to`, all sizes are new.
        function (callable): Its `forward`.
        sizes (int): How many are kept: the one that was not used for longest goes first.
        record (callable): Makes a :class:`Recording`.
    """

    def __init__(self, module: nn.Module, function: Callable[..., Outputs], sizes: int = SIZES,
                 record: Callable[[Callable, Tensor, MutableMapping], Callable[[Tensor], Outputs]] = Recording) -> None:
        self.module = module
        self.function = function
        self.sizes = sizes
        self.record = record
        self._lock = threading.Lock()
        self._recordings: OrderedDict[tuple, Optional[Callable]] = OrderedDict()  # None: seen once
        self._refused: OrderedDict[tuple, None] = OrderedDict()
        self._pools: WeakValueDictionary = WeakValueDictionary()  # a pool goes with its last recording

    def __reduce__(self) -> tuple:
        """A copy records anew, with its own weights."""
        return GraphedCalls, (self.module, self.function, self.sizes, self.record)

    def __call__(self, *args: Any, **kwargs: Any) -> Outputs:
        if kwargs or len(args) != 1 or self.module.training or not self._fits(args[0]):
            return self.function(*args, **kwargs)
        x, = args
        images = bucket(len(x))
        weight = next(self.module.parameters(), None)
        # A recording holds its kernels, the casts of autocast and the weights' addresses; its tensors are of its mode.
        key = (images, x.shape[1:], x.stride(), x.dtype, x.device, torch.is_autocast_enabled('cuda'),
               torch.get_autocast_dtype('cuda'), torch.is_inference_mode_enabled(), backends(),
               None if weight is None else weight.data_ptr())
        with self._lock:
            if key not in self._refused:
                return self._replay(key, x, images)
        return self.function(x)

    def _replay(self, key: tuple, x: Tensor, images: int) -> Outputs:
        known = key in self._recordings
        recording = self._recordings[key] = self._recordings.pop(key, None)
        while len(self._recordings) > self.sizes:
            self._recordings.popitem(last=False)
        if recording is not None:
            return recording(x)
        full = x if images == len(x) else fill_up(x, images)
        outputs = self.function(full)
        if known:
            self._record(key, full)
        return outputs if images == len(x) else tuple(y[:len(x)].clone() for y in outputs)

    def _record(self, key: tuple, x: Tensor) -> None:
        try:
            self._recordings[key] = self.record(self.function, x, self._pools)
        except Exception as error:
            self._recordings.clear()
            self._pools.clear()
            self._refused[key] = None
            if len(self._refused) > REFUSED:
                self._refused.popitem(last=False)
            reason = f'{type(error).__name__}: {error}'.partition('\n')[0]
            warnings.warn(f'hrformer_mm: images {tuple(x.shape)} run without a CUDA graph from now on, since none can '
                          f'be recorded: {reason} (if memory is short, take fewer or smaller images; cuda_graphs=False '
                          'records none)')

    @staticmethod
    def _fits(x: Any) -> bool:
        return (isinstance(x, Tensor) and x.is_cuda and x.dim() == 4 and len(x) > 0 and not torch.is_grad_enabled()
                and not torch.compiler.is_compiling() and not torch.jit.is_tracing()
                and not torch.cuda.is_current_stream_capturing())


def replay_calls(module: nn.Module) -> None:
    """Have a module's calls replayed, see :class:`GraphedCalls`; parameters and names stay what they are."""
    module.forward = GraphedCalls(module, module.forward)
