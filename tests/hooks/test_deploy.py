"""Tests run the deployment form with equal metrics; trainings run the original model."""

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from hrformer_mm import HRFormer
from hrformer_mm.deploy import is_deployed
from hrformer_mm.hooks import DeployHook

ARCH = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4), num_blocks=1)


class Model(BaseModel):
    def __init__(self, backbone=True):
        super().__init__()
        self.net = HRFormer(ARCH, window_sizes=3) if backbone else torch.nn.Conv2d(3, 2, 3)
        self.deployed = []

    def forward(self, images, mode='tensor'):
        self.deployed.append(is_deployed(self))
        maps = self.net(images)
        values = [x.mean((1, 2, 3)) for x in (maps if isinstance(maps, tuple) else (maps,))]
        return dict(loss=values[0].square().mean()) if mode == 'loss' else [torch.stack(values)]


class Mean(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [x.detach() for x in data_samples]

    def compute_metrics(self, results):
        return {f'mean_{i}': float(x.mean()) for i, x in enumerate(torch.stack(results).mean((0, 2)))}


def collate(images):
    return dict(images=torch.stack(images))


def loader():
    images = list(torch.randn(4, 3, 32, 40, generator=torch.Generator().manual_seed(0)))
    return DataLoader(images, 2, sampler=DefaultSampler(images, False), collate_fn=collate)


def runner(model, folder, **hook):
    data = loader()
    return Runner(
        model,
        str(folder),
        train_dataloader=loader(),
        val_dataloader=loader(),
        test_dataloader=data,
        train_cfg=dict(by_epoch=True, max_epochs=1),
        val_cfg={},
        test_cfg={},
        val_evaluator=[Mean()],
        test_evaluator=[Mean()],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        custom_hooks=[DeployHook(**hook)],
        experiment_name=f'deploy_{folder.name}',
    )


def test_the_same_metrics(tmp_path):
    model = Model()
    tests = runner(model, tmp_path / 'a')
    found = tests.test()
    assert model.deployed == [] and tests.model is model
    expected = runner(model, tmp_path / 'b', enabled=False).test()
    assert model.deployed == [False, False]
    assert found == pytest.approx(expected, rel=1e-4)


def test_training_and_its_validation_use_the_model_itself(tmp_path):
    model = Model()
    training = runner(model, tmp_path / 'c')
    training.train()
    assert model.deployed == [False] * 4
    training.test()
    assert model.deployed == [False] * 4 and training.model is model
    model.train_step(collate([torch.randn(3, 32, 40)] * 2), training.optim_wrapper)
    assert model.deployed == [False] * 5


def test_a_model_without_hrformer_is_unchanged(tmp_path):
    model = Model(backbone=False)
    runner(model, tmp_path / 'd').test()
    assert model.deployed == [False, False]


def test_a_wrapped_model(tmp_path):
    """The hook replaces the wrapped model of a distributed test."""

    class Wrapper(MMDistributedDataParallel):
        def __init__(self, module):
            torch.nn.Module.__init__(self)
            self.module = module

    test, model = runner(Model(), tmp_path / 'e'), Model()
    test.model = Wrapper(model)
    hook = DeployHook()
    hook.before_test_epoch(test)
    assert is_deployed(test.model.module) and not is_deployed(model)
    hook.after_test_epoch(test)
    assert test.model.module is model


def test_enabled_is_a_bool():
    with pytest.raises(TypeError, match="enabled is 'no'"):
        DeployHook(enabled='no')
