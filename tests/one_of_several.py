"""Run a library's own train.py as one of several processes on the CPU.

    python -m torch.distributed.run --nproc-per-node 2 tests/one_of_several.py TRAIN.PY CONFIG --launcher pytorch …

mmengine's start-up asks for a GPU: the processes are brought together before it looks. Each writes the losses of its
iterations below the work folder, as losses_RANK.json.
"""

import json
import os
import runpy
import sys
from pathlib import Path

import torch.distributed
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

import hrformer_mm  # noqa: F401


@HOOKS.register_module()
class WriteLosses(Hook):
    """Record the losses of each rank: the logger only writes those of rank 0."""

    def __init__(self):
        self.losses = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(outputs['loss'].item())
        path = Path(runner.work_dir, f'losses_{os.environ["RANK"]}.json')
        path.write_text(json.dumps(self.losses))


if __name__ == '__main__':
    torch.distributed.init_process_group('gloo')
    sys.argv.pop(0)
    runpy.run_path(sys.argv[0], run_name='__main__')
    torch.distributed.destroy_process_group()
