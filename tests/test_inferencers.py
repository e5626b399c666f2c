"""The inferencers of the libraries accept configs by name, through config_path."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from hrformer_mm import config_path
from hrformer_mm.model_index import find_index

POSE, SEG, CLS = 'td-hm_hrformer-t_coco-256x192', 'ocr_hrformer-s_cityscapes', 'hrformer-t_imagenet'


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """Return a function that creates a checkpoint of a config's model."""

    def make(name: str) -> str:
        cfg = Config.fromfile(config_path(name))
        path = tmp_path_factory.mktemp('weights') / 'weights.pth'
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), path)
        return str(path)

    return make


def holds(model: torch.nn.Module, path: str) -> bool:
    """Return whether a model has the tensors of a checkpoint."""
    own, state = model.state_dict(), torch.load(path)['state_dict']
    return own.keys() == state.keys() and all(torch.equal(own[name], state[name]) for name in own)


def test_poses(weights):
    from mmpose.apis import MMPoseInferencer

    path = weights(POSE)
    inferencer = MMPoseInferencer(pose2d=config_path(POSE), pose2d_weights=path, det_model='whole_image', device='cpu')
    assert holds(inferencer.inferencer.model, path)


def test_segmentation(weights):
    from mmseg.apis import MMSegInferencer

    path = weights(SEG)
    assert holds(MMSegInferencer(config_path(SEG), path, device='cpu').model, path)


def test_detection():
    from mmdet.apis import DetInferencer

    model = DetInferencer(config_path('fcos_hrformer-s_coco'), device='cpu').model
    assert sum(p.numel() for p in model.parameters()) == 15_883_204


def test_classification(weights):
    from mmpretrain import ImageClassificationInferencer

    path = weights(CLS)
    assert holds(ImageClassificationInferencer(config_path(CLS), pretrained=path, device='cpu').model, path)


def test_names_in_mmpretrain_on_request(monkeypatch):
    """The package does not extend mmpretrain's hub by itself; docs/predict.md has these lines."""
    import mmpretrain
    from mmpretrain.apis import ModelHub

    monkeypatch.setattr(ModelHub, '_models_dict', dict(ModelHub._models_dict))
    with pytest.raises(ValueError, match=f'Failed to find model "{CLS}"'):
        mmpretrain.get_model(CLS)
    ModelHub.register_model_index(find_index(), config_prefix=find_index().parent)
    assert ModelHub.has(CLS) and CLS in mmpretrain.list_models('hrformer')
    assert sum(p.numel() for p in mmpretrain.get_model(CLS).parameters()) == 8_035_820
