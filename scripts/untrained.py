"""Write a model with the weights that its training starts from: python scripts/untrained.py CONFIG CHECKPOINT"""

import sys

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

import hrformer_mm  # noqa: F401  (before the config's base is looked for, which needs pkg_resources)

if __name__ == '__main__':
    source, destination = sys.argv[1:]
    config = Config.fromfile(source)
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), destination)
