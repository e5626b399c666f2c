"""Check of the number of threads of a training on CPUs."""

import torch
from mmengine.dist import get_world_size
from mmengine.runner import Runner

from ..threads import crowded


def warn_of_threads(runner: Runner) -> None:
    """Warn if the model runs on the CPU with more threads than there are free processors."""
    device = next(runner.model.parameters(), torch.empty(0)).device
    if device.type == 'cpu' and (reason := crowded(torch.get_num_threads() * get_world_size())):
        runner.logger.warning(reason)
