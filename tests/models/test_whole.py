"""Whole models train in every form that the libraries support, or raise errors for inconsistent parts."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData, PixelData

import hrformer_mm  # noqa: F401  (its repairs come before the host libraries)
from hrformer_mm.deploy import to_deploy

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4), num_blocks=1, mlp_ratio=2)
BACKBONE = dict(type='hrformer_mm.HRFormer', arch=MICRO)
SIGMOID = dict(type='CrossEntropyLoss', use_sigmoid=True)
OURS = dict(type='hrformer_mm.CrossEntropyLoss')
OHEM = dict(type='OHEMPixelSampler', min_kept=100)


def build(scope, cfg):
    pytest.importorskip(scope)
    with DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(copy.deepcopy(cfg))


def segmentor(
    segmentor_type='hrformer_mm.EncoderDecoder', backbone={}, preprocessor=None, auxiliary=None, test=None, **head
):
    head = dict(
        dict(type='hrformer_mm.OCRHead', in_channels=[6, 12, 18, 24], channels=8, key_channels=4, num_classes=2), **head
    )
    return build(
        'mmseg',
        dict(
            type=segmentor_type,
            backbone={**BACKBONE, **backbone},
            decode_head=head,
            auxiliary_head=auxiliary,
            data_preprocessor=preprocessor,
            test_cfg=test or dict(mode='whole'),
        ),
    )


def classifier(classes=3, backbone={}, preprocessor=None, loss=dict(type='CrossEntropyLoss'), **model):
    return build(
        'mmpretrain',
        dict(
            type='ImageClassifier',
            backbone={**BACKBONE, **backbone},
            data_preprocessor=preprocessor,
            neck=[
                dict(
                    type='hrformer_mm.ClassificationNeck',
                    in_channels=[6, 12, 18, 24],
                    channels=(2, 2, 2, 2),
                    out_channels=16,
                ),
                dict(type='GlobalAveragePooling'),
            ],
            head=dict(type='LinearClsHead', num_classes=classes, in_channels=16, loss=loss),
            **model,
        ),
    )


def estimator(backbone={}, preprocessor=None, head={}, **model):
    return build(
        'mmpose',
        dict(
            type='TopdownPoseEstimator',
            backbone={**BACKBONE, **backbone},
            data_preprocessor=preprocessor,
            head=dict(dict(type='hrformer_mm.TopdownHeatmapHead', in_channels=6, out_channels=5), **head),
            **model,
        ),
    )


def label_maps(n=2, size=64, classes=2):
    from mmseg.structures import SegDataSample

    labels = torch.randint(0, classes, (n, 1, size, size))
    labels[:, :, :5] = 255
    return [
        SegDataSample(
            gt_sem_seg=PixelData(data=label),
            metainfo=dict(
                img_shape=(size, size), ori_shape=(size, size), pad_shape=(size, size), padding_size=(0, 0, 0, 0)
            ),
        )
        for label in labels
    ]


def fcn(**kwargs):
    return dict(type='FCNHead', in_channels=24, in_index=3, channels=8, num_convs=1, **kwargs)


@pytest.mark.parametrize(
    'make',
    [
        lambda: segmentor(num_classes=1),
        lambda: segmentor(num_classes=1, out_channels=1, loss_decode=[SIGMOID, OURS]),
        lambda: segmentor(out_channels=1),
        lambda: segmentor(out_channels=1, loss_decode=SIGMOID, loss_auxiliary=dict(type='CrossEntropyLoss')),
        lambda: segmentor(auxiliary=fcn(num_classes=1)),
        lambda: segmentor(auxiliary=[fcn(num_classes=2), fcn(num_classes=1, loss_decode=OURS)]),
    ],
)
def test_cross_entropy_over_one_class_raises(make):
    with pytest.raises(ValueError, match='over 1 class is always 0.*num_classes=2.*out_channels=1.*use_sigmoid=True'):
        make()


def test_sigmoid_over_one_class_is_allowed():
    assert segmentor(num_classes=1, loss_decode=SIGMOID, out_channels=1).decode_head.num_classes == 1


@pytest.mark.parametrize('sampler', [None, OHEM])
@pytest.mark.parametrize('losses', [SIGMOID, [SIGMOID, dict(type='DiceLoss', loss_name='loss_dice')]])
def test_mmsegs_binary_form_trains_and_predicts(losses, sampler):
    if sampler and isinstance(losses, list):
        losses = [SIGMOID, dict(SIGMOID, loss_name='loss_second')]
    model = segmentor(out_channels=1, threshold=0.4, loss_decode=losses, sampler=sampler).train()
    x, samples = torch.randn(2, 3, 64, 64), label_maps()
    result = model.loss(x, samples)
    sum(v for k, v in result.items() if 'loss' in k).backward()
    assert model.decode_head.auxiliary[-1].weight.grad.abs().sum() > 0
    assert model.decode_head.conv_seg.weight.grad.abs().sum() > 0
    logits = model.decode_head.forward_both(model.extract_feat(x))[1]
    logits = torch.nn.functional.interpolate(logits, size=(64, 64), mode='bilinear', align_corners=True)
    labels = torch.stack([s.gt_sem_seg.data for s in samples]).float()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.clamp(max=1), reduction='none')
    expected = 0.4 * (expected * (labels != 255)).sum() / labels.numel()
    model.eval()
    with torch.no_grad():
        for test_cfg in (dict(mode='whole'), dict(mode='slide', crop_size=(64, 32), stride=(64, 32))):
            model.test_cfg = ConfigDict(test_cfg)
            for form in (model, to_deploy(model)):
                out = form.predict(x, label_maps())[0]
                mask = (out.seg_logits.data.sigmoid() > 0.4).long()
                assert torch.equal(out.pred_sem_seg.data.long(), mask)
    assert torch.allclose(result['decode.loss_auxiliary'], expected, rtol=0.2)  # dropout is off there; norms train


def test_ohem_threshold_with_one_channel_raises():
    with pytest.raises(ValueError, match='sampler.thresh is 0.7.*leave thresh out'):
        segmentor(out_channels=1, loss_decode=SIGMOID, sampler=dict(OHEM, thresh=0.7))


@pytest.mark.parametrize('thresh', [None, 0.7])
@pytest.mark.parametrize(
    'losses', [OURS, dict(OURS, class_weight=[1.0, 2.0]), [OURS, dict(type='CrossEntropyLoss', loss_name='loss_other')]]
)
def test_ohem_samples_pixels_by_the_loss(losses, thresh):
    model = segmentor(loss_decode=losses, sampler=dict(OHEM, thresh=thresh)).train()
    result = model.loss(torch.randn(2, 3, 64, 64), label_maps())
    assert all(torch.isfinite(value).all() and value > 0 for name, value in result.items() if 'loss' in name)


@pytest.mark.parametrize('channels', [1, 4])
@pytest.mark.parametrize('task', ['segmentation', 'pose', 'classification'])
def test_images_of_one_and_four_channels_train(task, channels):
    backbone, x = dict(in_channels=channels), torch.randn(2, channels, 64, 64)
    if task == 'segmentation':
        model = segmentor(
            backbone=backbone,
            preprocessor=dict(type='SegDataPreProcessor', mean=[1.0] * channels, std=[2.0] * channels, size=(64, 64)),
        )
        data = model.data_preprocessor(dict(inputs=list(x), data_samples=label_maps()), training=True)
        losses = model.loss(**data)
    elif task == 'classification':
        from mmpretrain.structures import DataSample

        model = classifier(backbone=backbone, preprocessor=dict(mean=[1.0] * channels, std=[2.0] * channels))
        data = model.data_preprocessor(
            dict(inputs=x, data_samples=[DataSample().set_gt_label(i) for i in range(2)]), training=True
        )
        losses = model.loss(**data)
    else:
        from mmpose.structures import PoseDataSample

        model = estimator(backbone=backbone, preprocessor=dict(type='PoseDataPreprocessor'))
        samples = [
            PoseDataSample(
                gt_fields=PixelData(heatmaps=torch.rand(5, 16, 16)),
                gt_instance_labels=InstanceData(keypoint_weights=torch.ones(1, 5)),
            )
            for _ in range(2)
        ]
        losses = model.loss(**model.data_preprocessor(dict(inputs=list(x), data_samples=samples), training=True))
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert model.backbone.conv1.weight.grad.abs().sum() > 0
    with torch.no_grad():
        model.eval()
        assert torch.allclose(to_deploy(model.backbone)(x)[0], model.backbone(x)[0], atol=1e-4)


def test_preprocessor_with_other_channels_than_the_backbone_raises():
    preprocessor = dict(type='SegDataPreProcessor', mean=[1.0, 2, 3], std=[1.0, 2, 3])
    for channels in (1, 4):
        with pytest.raises(ValueError, match=f'data_preprocessor.mean has 3 entries.*in_channels={channels}'):
            segmentor(backbone=dict(in_channels=channels), preprocessor=preprocessor)
    segmentor(preprocessor=dict(preprocessor, mean=[1.0], std=[1.0]))


@pytest.mark.parametrize('norm, train, values', [('BN', True, 1), ('BN', True, 2), ('BN', False, 1), ('GN', True, 1)])
def test_batch_norm_over_one_value_states_the_remedy(norm, train, values):
    norm_cfg = dict(type='GN', num_groups=1) if norm == 'GN' else dict(type='BN')
    model = segmentor(backbone=dict(norm_cfg=norm_cfg), norm_cfg=dict(type='GN', num_groups=1)).train(train)
    x = torch.randn(1, 3, 32, 32) if values == 1 else torch.randn(1, 3, 32, 33)
    if (norm, train, values) == ('BN', True, 1):
        with pytest.raises(ValueError, match='one value per channel.*drop_last=True.*batch_size.*larger images'):
            model.extract_feat(x)
    else:
        model.extract_feat(x)
    if norm == 'GN':
        assert torch.isfinite(model.decode_head(model.extract_feat(x))).all()


@pytest.mark.parametrize(
    'make',
    [
        lambda: segmentor(backbone=dict(norm_eval=True), out_channels=1, loss_decode=SIGMOID),
        lambda: classifier(backbone=dict(norm_eval=True)),
    ],
    ids=['one region', 'neck'],
)
def test_batch_norm_of_heads_over_one_value(make):
    model = make().train()
    with pytest.raises(ValueError, match='one value per channel.*drop_last=True'):
        model(torch.randn(1, 3, 32, 32), mode='tensor')


def test_layer_wise_learning_rates():
    """mmpretrain's constructor supports its own models and our segmentor; ours supports all models."""
    from mmengine.optim import build_optim_wrapper

    depths = {
        'conv1.weight': 0,
        'layer1.1.conv1.weight': 2,
        'transition1.0.0.weight': 3,
        'stage2.0.branches.1.0.norm1.weight': 3,
        'stage2.0.fuse_layers.0.1.0.weight': 3,
        'transition2.2.0.0.weight': 4,
        'stage3.0.branches.2.0.attn.attn.qkv.weight': 4,
        'stage4.0.branches.3.0.ffn.fc1.weight': 5,
    }  # two bottlenecks and one block in each stage: 7 depths
    mmpretrains, ours = 'mmpretrain.LearningRateDecayOptimWrapperConstructor', 'LayerDecayOptimWrapperConstructor'
    for make, heads, constructors in (
        (classifier, 'head.fc.weight', (mmpretrains, ours)),
        (segmentor, 'decode_head.conv_seg.weight', (mmpretrains, ours)),
        (estimator, 'head.final_layer.weight', (ours,)),
    ):
        model = make()
        for constructor in constructors:
            constructor = constructor if '.' in constructor else f'hrformer_mm.{constructor}'
            wrapper = build_optim_wrapper(
                model,
                dict(
                    optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.1),
                    constructor=constructor,
                    paramwise_cfg=dict(layer_decay_rate=0.5, norm_decay_mult=0.0),
                ),
            )
            rates = {group['param_name']: group['lr'] for group in wrapper.param_groups if 'param_name' in group}
            assert rates.keys() == dict(model.named_parameters()).keys() and rates[heads] == 1
            for name, depth in depths.items():
                assert rates[f'backbone.{name}'] == 0.5 ** (6 - depth), (constructor, name)


def test_layer_depths_of_a_bare_backbone_and_without_one():
    from hrformer_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS

    pytest.importorskip('mmpretrain')
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.get('LayerDecayOptimWrapperConstructor')(
        dict(optimizer=dict(type='SGD', lr=1.0, weight_decay=0.1)), dict(layer_decay_rate=0.5)
    )
    assert constructor(MODELS.build(BACKBONE)).param_groups[0]['lr'] == 0.5**6
    with pytest.raises(ValueError, match='Linear contains no hrformer_mm.HRFormer'):
        constructor(torch.nn.Linear(2, 2))
