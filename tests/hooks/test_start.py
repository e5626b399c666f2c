"""What a training starts from: fetched before any data is read, and in the log."""

import logging
import socket

import pytest
import torch
from mmengine.registry import MODELS

from hrformer_mm.models import HRFormer
from hrformer_mm.weights import write_tensors


@pytest.fixture
def start(training, tmp_path, caplog):
    """Trains the small model with a backbone of this `init_cfg`; returns the runner and the lines of the log."""

    def run(init_cfg, iters=1, **kwargs):
        runner = training.runner(tmp_path / 'work', iters, deep=True, **kwargs)
        runner.model.backbone = HRFormer(training.ARCH, drop_path_rate=0.3, window_sizes=7, init_cfg=init_cfg)
        runner.logger.addHandler(caplog.handler)
        with caplog.at_level(logging.INFO):
            runner.train()
        return runner, [record.message for record in caplog.records if 'The backbone' in record.message]

    return run
