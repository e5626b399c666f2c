"""Checks of the model before and during a training."""

import pytest
import torch
import torch.distributed as dist
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.registry import MODELS
from torch import nn

import hrformer_mm  # noqa: F401
from hrformer_mm.models import HRFormer

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4), num_blocks=1, mlp_ratio=2)


@MODELS.register_module()
class BranchModel(BaseModel):
    """Model that only uses branch 0 of the backbone's branches."""

    def __init__(self, out_indices=(0,), in_channels=3, classes=2, loss=None, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.backbone = HRFormer(arch=MICRO, out_indices=out_indices, in_channels=in_channels)
        self.head = nn.Linear(6, classes)
        self.head.num_classes, self.head.loss_module = classes, loss or nn.CrossEntropyLoss()

    def forward(self, inputs, data_samples=None, mode='tensor'):
        logits = self.head(self.backbone(torch.stack(list(inputs)).float())[0].mean((2, 3)))
        return dict(loss=self.head.loss_module(logits, torch.tensor([sample.label for sample in data_samples])))


def runner(training, folder, model=None, **others):
    return training.runner(folder, 2, model=dict(model or {}, type='BranchModel'), **others)


def test_inconsistent_models_raise_before_training(training, tmp_path):
    with pytest.raises(ValueError, match='head: CrossEntropyLoss over 1 class is always 0.*num_classes=2'):
        runner(training, tmp_path, dict(classes=1)).train()
    preprocessor = dict(type='ImgDataPreprocessor', mean=[1.0, 2, 3], std=[1.0, 2, 3])
    with pytest.raises(ValueError, match='data_preprocessor.mean has 3 entries.*in_channels=1'):
        runner(training, tmp_path, dict(in_channels=1, data_preprocessor=preprocessor)).train()
    preprocessor = dict(type='ImgDataPreprocessor', bgr_to_rgb=True)
    with pytest.raises(ValueError, match='bgr_to_rgb.*in_channels=4'):
        runner(training, tmp_path, dict(in_channels=4, data_preprocessor=preprocessor)).train()
    assert not list(tmp_path.glob('*.pth'))


def test_ineffective_layer_decay_raises_before_training(training, tmp_path):
    pytest.importorskip('mmpose')
    import mmpose.engine  # noqa: F401  (registers its constructor)

    optim = dict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.1),
        constructor='LayerDecayOptimWrapperConstructor',
        paramwise_cfg=dict(num_layers=12, layer_decay_rate=0.5),
    )
    with pytest.raises(ValueError, match="'LayerDecayOptimWrapperConstructor', which does not know.*hrformer_mm.Layer"):
        runner(training, tmp_path, optim_wrapper=optim).train()


@pytest.fixture
def process_group(tmp_path):
    dist.init_process_group('gloo', f'file://{tmp_path}/rendezvous', rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize(
    'out_indices, find_unused, fails', [((0,), False, False), ((0, 1, 2, 3), True, False), ((0, 1, 2, 3), False, True)]
)
def test_unused_branches_in_distributed_training(training, tmp_path, process_group, out_indices, find_unused, fails):
    run = runner(training, tmp_path, dict(out_indices=out_indices))
    run.model = MMDistributedDataParallel(run.model, find_unused_parameters=find_unused)
    if fails:
        with pytest.raises(
            ValueError,
            match='parameters are not used.*backbone.stage4.0.fuse_layers.*out_indices.*'
            'in_index.*find_unused_parameters=True',
        ):
            run.train()
        assert run.iter == 0
    else:
        run.train()
        assert run.iter == 2
