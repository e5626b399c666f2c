"""Exported and compiled graphs of backbones and whole models agree with the original models."""

from functools import lru_cache

import pytest
import torch

from hrformer_mm import HRFormer
from hrformer_mm.commands.export.exporting import record
from hrformer_mm.commands.export.network import Network, dynamic_shapes
from hrformer_mm.commands.model import load_model, read_config

TASKS = ['seg', 'pose', 'cls']
SIZES = [(64, 96), (96, 64), (45, 70)]
# Sizes for a graph with dynamic size. A branch is one window high only in the first, with which it is recorded.
MULTIPLES = [(64, 96), (128, 64), (96, 160), (256, 288)]
BACKBONES = {
    'backbone': dict(),
    'backbone, oblong windows, bilinear': dict(window_sizes=((7, 5), 4, 3, 2), fuse_upsample='bilinear'),
    'backbone, pad mask': dict(with_pad_mask=True),
}
ARCH = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)


@pytest.fixture(autouse=True)
def forget():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.fixture
def network(micro):
    """`network(task)` returns a whole model without preprocessing, as its library builds it and as it is exported."""

    @lru_cache(None)
    def build(task):
        cfg = read_config(micro[task][0])
        model = load_model(cfg, micro[task][1])
        whole = Network.__new__(Network)
        torch.nn.Module.__init__(whole)
        whole.model, whole.scope = model, cfg.default_scope
        return whole.eval(), Network(model, cfg.default_scope).eval()

    return build


def error(out, expected):
    pairs = zip(out, expected) if isinstance(out, (tuple, list)) else [(out, expected)]
    return max(((a - b).norm() / b.norm()).item() for a, b in pairs)


class Logits(torch.nn.Module):
    """Backbone and head of a segmentor, without mmseg's `resize`, whose warning makes every size a constant."""

    def __init__(self, segmentor):
        super().__init__()
        self.segmentor = segmentor

    def forward(self, images):
        return self.segmentor.decode_head(self.segmentor.extract_feat(images))


def images(size, n=2):
    return torch.randn(n, 3, *size)


@pytest.mark.slow
@pytest.mark.parametrize('name', BACKBONES)
def test_backbone_for_any_size(name, figure):
    torch.manual_seed(0)
    model = HRFormer(ARCH, **BACKBONES[name]).eval()
    with torch.no_grad():
        graph = record(model, images(MULTIPLES[0]), dynamic_shapes(True, True)).module()
        for n, size in enumerate(MULTIPLES, start=1):
            x = images(size, n)
            figure(f'exported for any size: {name}', error(graph(x), model(x)), 1e-6)


@pytest.mark.slow
def test_backbone_for_one_size(figure):
    torch.manual_seed(0)
    model = HRFormer(ARCH).eval()
    with torch.no_grad():
        for size in SIZES:
            x = images(size)
            figure('exported for one size: backbone', error(record(model, x, {}).module()(x), model(x)), 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('task', TASKS)
def test_whole_models_for_one_size(network, task, figure):
    whole, form = network(task)
    with torch.no_grad():
        for size in SIZES:
            x = images(size)
            graph = record(form, x, {}).module()
            figure(f'exported for one size: {task}', error(graph(x), form(x)), 1e-6)
            figure(f'exported for one size: {task}, against the model that trains', error(graph(x), whole(x)), 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('task', TASKS)
def test_whole_models_for_any_size(network, task, figure):
    _, form = network(task)
    form = Logits(form.model) if task == 'seg' else form
    with torch.no_grad():
        graph = record(form, images(MULTIPLES[0]), dynamic_shapes(True, True)).module()
        for n, size in enumerate(MULTIPLES, start=1):
            x = images(size, n)
            figure(f'exported for any size: {task}', error(graph(x), form(x)), 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('task', TASKS)
def test_whole_models_compiled(network, task, figure):
    _, form = network(task)
    x = images(SIZES[0], 1)
    with torch.no_grad():
        figure(f'compiled: {task}', error(torch.compile(form, dynamic=False)(x), form(x)), 1e-4)
