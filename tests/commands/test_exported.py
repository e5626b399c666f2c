"""The runtime predicts the same with an exported model as `predict` with its checkpoint."""

import json
import sys
import warnings

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config
from PIL import Image

from hrformer_mm import runtime
from hrformer_mm.cli import main
from hrformer_mm.commands.export import export
from hrformer_mm.commands.export.metadata import metadata
from hrformer_mm.commands.export.network import Network
from hrformer_mm.commands.model import load_model, read_config
from hrformer_mm.commands.predict import predict
from hrformer_mm.commands.predict.boxes import Boxes
from hrformer_mm.commands.predict.exported import ExportedPredictor
from hrformer_mm.commands.predict.running import predict_sources
from hrformer_mm.runtime.engines import Engine

LOAD = dict(type='LoadImageFromFile')


class TorchEngine(Engine):
    """An engine that runs the network without exporting it."""

    def __init__(self, network, shape):
        self.network, self.shape = network.eval(), shape

    def run(self, images):
        with torch.no_grad():
            return self.network(torch.from_numpy(images)).numpy()


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """Write pictures of several shapes, and a JPEG file with an EXIF orientation."""
    folder = tmp_path_factory.mktemp('pictures')
    generator = np.random.default_rng(0)
    for name, size in (('wide', (160, 120)), ('high', (90, 150)), ('other', (160, 120))):
        image = cv2.resize(generator.integers(0, 255, (6, 8, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f'{name}.png'), image)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image[..., ::-1]).save(folder / 'turned.jpg', exif=exif)
    return folder


def describe(config, checkpoint):
    cfg = read_config(config)
    return metadata(cfg, load_model(cfg, checkpoint))


def exported(config, checkpoint, size=(None, None)):
    """Build a model like that of :func:`runtime.load`."""
    cfg = read_config(config)
    model = load_model(cfg, checkpoint)
    about = json.loads(json.dumps(metadata(cfg, model)))
    engine = TorchEngine(Network(model, cfg.default_scope), [None, about['channels'], *size])
    return runtime._TASKS[about['task']](engine, about)


def compare(paths, pictures, folder, boxes=None, size=None, frames=1):
    """Predict pictures with both, and compare all results."""
    inputs = list(map(str, pictures))
    wanted = predict(*paths, inputs, str(folder / 'a'), 'cpu', batch=2, boxes=boxes)

    def build():
        model = exported(*paths, size=size or (None, None))
        if size is None:
            model._fit = lambda x: x  # PyTorch takes every size
        finder = Boxes(boxes, None, 0.3, None) if model.metadata['task'] == 'pose' else None
        return ExportedPredictor(model, finder, 2, 0.3)

    found = predict_sources(build, inputs, str(folder / 'b'), [], 2, None, None)
    assert not wanted.problems and not found.problems
    assert len(found.results) == len(wanted.results) == len(inputs) * frames
    for a, b in zip(found.results, wanted.results):
        same(a, b)
    return found.results


def same(a, b):
    assert a.keys() == b.keys()
    assert all(a[key] == b[key] for key in ('source', 'picture', 'size', 'input_size') if key in b)
    if 'shares' in a:
        assert a['shares'] == pytest.approx(b['shares'], abs=1e-4)
    for x, y in zip(a.get('labels', ()), b.get('labels', ())):
        assert (x['label'], x['name']) == (y['label'], y['name']) and x['score'] == pytest.approx(y['score'], abs=1e-4)
    assert len(a.get('labels', ())) == len(b.get('labels', ()))
    assert len(a.get('people', ())) == len(b.get('people', ()))
    for x, y in zip(a.get('people', ()), b.get('people', ())):
        assert all(x.get(key) == y.get(key) for key in ('box', 'score', 'track'))
        assert list(x['keypoints']) == list(y['keypoints'])
        points, expected = (np.array(list(person['keypoints'].values())) for person in (x, y))
        np.testing.assert_allclose(points[:, :2], expected[:, :2], rtol=0, atol=0.1)
        np.testing.assert_allclose(points[:, 2], expected[:, 2], rtol=0, atol=1e-3)  # printed with three digits


def seg_pipeline(*steps, load=LOAD):
    return [load, *steps, dict(type='LoadAnnotations'), dict(type='PackSegInputs')]


SLIDE = {'model.test_cfg': dict(mode='slide', crop_size=(64, 64), stride=(48, 40))}
SIGMOID = {
    'model.decode_head.out_channels': 1,
    'model.decode_head.threshold': 0.45,
    'model.decode_head.loss_decode': dict(type='CrossEntropyLoss', use_sigmoid=True),
    'model.decode_head.loss_auxiliary': dict(type='CrossEntropyLoss', use_sigmoid=True),
}
KEEP = dict(type='Resize', scale=(200, 64), keep_ratio=True)


@pytest.mark.parametrize(
    'changes, steps',
    [
        ({}, [KEEP]),
        (SIGMOID, [dict(type='mmseg.Resize', scale=(96, 64))]),
        pytest.param(SLIDE, [KEEP], marks=pytest.mark.slow),
        pytest.param(
            {'model.data_preprocessor.test_cfg': dict(size_divisor=32), 'model.decode_head.align_corners': False},
            [KEEP],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {'model.data_preprocessor.test_cfg': dict(size=(160, 192)), 'model.data_preprocessor.pad_val': 3},
            [dict(type='Resize', scale_factor=0.7, keep_ratio=True)],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {'model.data_preprocessor.bgr_to_rgb': False},
            [dict(type='Resize', scale=64, interpolation='area'), dict(type='Pad', size_divisor=48, pad_val=7)],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_segmentation(variant, pictures, tmp_path, changes, steps):
    names = ['wide.png', 'high.png', 'other.png', 'turned.jpg']
    results = compare(variant('seg', changes, seg_pipeline(*steps)), [pictures / name for name in names], tmp_path)
    assert changes or any(len(result['shares']) > 1 for result in results)
    assert results[-1]['size'] == [120, 160]  # upright


def test_windows_of_a_file_of_one_size(variant, pictures, tmp_path):
    paths = variant('seg', SLIDE, seg_pipeline(dict(type='Resize', scale=(96, 80))))
    assert describe(*paths)['size'] == [64, 64]
    with warnings.catch_warnings():
        warnings.filterwarnings('error', message='an image is')
        compare(paths, [pictures / 'wide.png'], tmp_path, size=(64, 64))


@pytest.mark.parametrize('size, fitting', [((64, 64), '64x64'), ((None, None), '64x96')])
def test_sizes_that_a_file_does_not_take(variant, pictures, size, fitting):
    model = exported(*variant('seg', pipeline=seg_pipeline(KEEP)), size=size)
    with pytest.warns(UserWarning, match=f'is 64x85 after the test pipeline, and is resized to {fitting}'):
        result = model(cv2.imread(str(pictures / 'wide.png')))
    assert result.array.shape == (120, 160) and sum(result['shares'].values()) == pytest.approx(1, abs=1e-5)


def cls_pipeline(*steps, load=LOAD):
    return [load, *steps, dict(type='PackInputs')]


MULTI = {'model.head': dict(type='MultiLabelLinearClsHead', num_classes=1000, in_channels=1000)}
LONG = [dict(type='ResizeEdge', scale=64, edge='long'), dict(type='Pad', size=(64, 64), pad_val=dict(img=114))]
GREY = {'model.backbone.in_channels': 1, 'data_preprocessor.mean': [120.0], 'data_preprocessor.std': [60.0]}


@pytest.mark.parametrize(
    'changes, steps, load',
    [
        (
            {},
            [
                dict(type='mmpretrain.ResizeEdge', scale=70, edge='short', backend='pillow', interpolation='bicubic'),
                dict(type='CenterCrop', crop_size=64),
            ],
            LOAD,
        ),
        ({}, LONG, LOAD),
        pytest.param(
            GREY, [dict(type='Resize', scale=(80, 64))], dict(LOAD, color_type='grayscale'), marks=pytest.mark.slow
        ),
        pytest.param(
            {},
            [
                dict(type='Resize', scale=(40, 50), backend='pillow'),
                dict(type='CenterCrop', crop_size=(64, 48), auto_pad=True, pad_cfg=dict(type='Pad', pad_val=9)),
            ],
            LOAD,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {'data_preprocessor.pad_size_divisor': 32, 'data_preprocessor.to_rgb': False},
            [dict(type='Resize', scale=(80, 60), interpolation='lanczos')],
            dict(LOAD, to_float32=True),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_classification(variant, pictures, tmp_path, changes, steps, load):
    results = compare(
        variant('cls', changes, cls_pipeline(*steps, load=load)),
        [pictures / 'wide.png', pictures / 'high.png', pictures / 'turned.jpg'],
        tmp_path,
    )
    assert results[0]['labels'][0]['score'] > 0.01


def codec(kind, **more):
    return dict(type=kind, input_size=(96, 128), heatmap_size=(24, 32), sigma=1.5, **more)


POSES = {
    'MSRA': (codec('MSRAHeatmap'), False, {}),
    'DARK': (codec('MSRAHeatmap', unbiased=True, blur_kernel_size=7), False, {'model.test_cfg.flip_test': False}),
    'UDP': (codec('UDPHeatmap'), True, {'model.test_cfg.shift_heatmap': False}),
    'UDP, offsets': (
        codec('UDPHeatmap', heatmap_type='combined'),
        True,
        {'model.test_cfg.flip_test': False, 'model.head.out_channels': 51},
    ),  # mmpose cannot flip them
}


def pose_variant(variant, name):
    decoder, udp, changes = POSES[name]
    return variant(
        'pose',
        {'model.head.decoder': decoder, 'codec': decoder, **changes},
        [
            dict(type='LoadImage'),
            dict(type='GetBBoxCenterScale', padding=1.0),
            dict(type='TopdownAffine', input_size=(96, 128), use_udp=udp),
            dict(type='PackPoseInputs'),
        ],
    )


@pytest.mark.parametrize(
    'name', ['MSRA', 'UDP', *(pytest.param(name, marks=pytest.mark.slow) for name in ('DARK', 'UDP, offsets'))]
)
def test_poses(variant, pictures, tmp_path, name):
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(
        json.dumps(
            {
                'wide.png': [[10, 10, 80, 100], [60.5, 20, 150, 110], [0, 0, 160, 120]],
                'high.png': [],
                'turned.jpg': [[-10, 30, 70, 170]],
            }
        )
    )
    results = compare(
        pose_variant(variant, name),
        [pictures / n for n in ('wide.png', 'high.png', 'turned.jpg')],
        tmp_path,
        str(boxes),
    )
    assert [len(result['people']) for result in results] == [3, 0, 1]


def test_people_in_videos(micro, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / 'v.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 10, (96, 64))
    for frame in np.random.default_rng(0).integers(0, 255, (3, 4, 6, 3), dtype=np.uint8):
        writer.write(np.kron(frame, np.ones((16, 16, 1), np.uint8)))
    writer.release()
    (tmp_path / 'boxes.json').write_text('{"v.mp4": [[50, 5, 90, 60], [5, 5, 40, 60]]}')
    results = compare(micro['pose'], [tmp_path / 'v.mp4'], tmp_path, str(tmp_path / 'boxes.json'), frames=3)
    assert [[person['track'] for person in result['people']] for result in results] == [[1, 2]] * 3


def test_flip_test_is_an_option(variant, pictures):
    paths = pose_variant(variant, 'MSRA')
    model, image = exported(*paths), cv2.imread(str(pictures / 'wide.png'))
    assert model.flip_test
    model.flip_test = False
    cfg = Config.fromfile(paths[0])
    cfg.model.test_cfg.flip_test = False
    cfg.dump(paths[0])
    np.testing.assert_allclose(model(image).array, exported(*paths)(image).array, atol=1e-3)


def test_metadata_of_pipelines_and_checkpoints(variant):
    crop = variant(
        'cls',
        {'model.head.num_classes': 3, 'test_dataloader.dataset': dict(type='CustomDataset')},
        cls_pipeline(dict(type='ResizeEdge', scale=80, edge='long'), dict(type='CenterCrop', crop_size=48)),
        meta=dict(classes=['ant', 'bee', 'cat']),
    )
    about = describe(*crop)
    assert about['version'] == 1 and about['classes'] == ['ant', 'bee', 'cat'] and about['multi_label'] is False
    assert about['size'] == [48, 48] or about['size'] is None  # a picture of 800x80 is smaller than the crop
    assert about['steps'][0]['edge'] == 'long' and about['steps'][1]['crop_size'] == [48, 48]
    multi = variant(
        'cls',
        {'model.head': dict(_delete_=True, type='MultiLabelLinearClsHead', num_classes=4, in_channels=1000)},
        cls_pipeline(dict(type='Resize', scale=(80, 64))),
    )
    about = describe(*multi)
    assert about['multi_label'] is True and about['size'] == [64, 80]
    assert about['classes'] == ['class 0', 'class 1', 'class 2', 'class 3']
    about = describe(*pose_variant(variant, 'UDP'))
    assert about['box_scale'] == 1.0 and about['udp'] is True and about['size'] == [128, 96]
    assert about['flip']['test'] and not about['flip']['shift'] and about['keypoints'][0] == 'nose'
    assert describe(*variant('seg', SIGMOID))['threshold'] == 0.45
    assert describe(*variant('seg', pipeline=seg_pipeline(dict(type='Resize', scale=(96, 64)))))['size'] == [64, 96]


@pytest.mark.parametrize(
    'task, changes, pipeline, message',
    [
        ('cls', {}, cls_pipeline(dict(type='EfficientNetCenterCrop', crop_size=64)), 'the step EfficientNetCenterCrop'),
        ('cls', {}, cls_pipeline(LONG[0], load=dict(LOAD, imdecode_backend='pillow')), "imdecode_backend='pillow'"),
        ('seg', {}, seg_pipeline(KEEP, dict(type='RandomFlip', prob=1.0)), 'the step RandomFlip'),
        ('pose', {}, [dict(type='LoadImage'), dict(type='PackPoseInputs')], 'must have GetBBoxCenterScale'),
        ('pose', {'model.test_cfg.output_keypoint_indices': [0, 1]}, None, 'output_keypoint_indices'),
        ('pose', {'model.head.decoder': dict(codec('MSRAHeatmap'), input_size=(64, 96))}, None, 'give both the same'),
    ],
)
def test_unsupported_processing(variant, task, changes, pipeline, message):
    with pytest.raises(ValueError, match=message) as caught:
        describe(*variant(task, changes, pipeline))
    assert '\n' not in str(caught.value)


def test_size_that_depends_on_the_picture(variant, tmp_path):
    paths = variant('cls', pipeline=cls_pipeline(LONG[0]))
    with pytest.raises(ValueError, match='choose one with --size'):
        export(*paths, str(tmp_path / 'a.onnx'))


@pytest.fixture(scope='module')
def onnx_file(micro, tmp_path_factory):
    pytest.importorskip('onnxruntime')
    path = tmp_path_factory.mktemp('exported') / 'pose.onnx'
    export(*micro['pose'], str(path), dynamic_batch=True)
    return str(path)


def call(*arguments):
    return CliRunner().invoke(main, ['predict', *map(str, arguments)])


def test_command(micro, onnx_file, pictures, tmp_path):
    arguments = [str(pictures / 'turned.jpg'), str(pictures / 'wide.png')]
    (tmp_path / 'broken.png').write_text('text')
    result = call(onnx_file, *arguments, tmp_path / 'broken.png', '-o', tmp_path / 'out', '--batch', 2, '--whole-image')
    assert result.exit_code == 1 and 'broken.png cannot be read as a picture' in result.output
    found = json.loads((tmp_path / 'out/predictions.json').read_text())
    expected = predict(*micro['pose'], arguments, str(tmp_path / 'b'), 'cpu', whole_image=True).results
    for a, b in zip(found, expected, strict=True):
        same(a, b)
    assert cv2.imread(str(tmp_path / 'out/turned.png')).shape == (160, 120, 3)
    assert call(onnx_file, arguments[0], '--no-flip-test', '-o', tmp_path / 'c', '--whole-image').exit_code == 0
    assert json.loads((tmp_path / 'c/predictions.json').read_text())[0] != found[0]


def test_openvino_runs_the_same_file(onnx_file, pictures):
    pytest.importorskip('openvino')
    image = cv2.imread(str(pictures / 'wide.png'))
    first, second = (runtime.load(onnx_file, engine=engine, threads=1)(image) for engine in ('onnxruntime', 'openvino'))
    np.testing.assert_allclose(first.array, second.array, atol=1e-2)


def test_runtime_imports_neither_torch_nor_mmengine(onnx_file, pictures, tmp_path, run_python):
    code = """
import sys
import hrformer_mm  # its import checks whether torch is imported
blocked = ('torch', 'mmengine', 'mmcv', 'mmseg', 'mmpose', 'mmpretrain', 'matplotlib')
sys.modules.update(dict.fromkeys(blocked))  # an import of them raises
from hrformer_mm.cli import main
main(['predict', sys.argv[1], sys.argv[2], '-o', sys.argv[3], '--whole-image'], standalone_mode=False)
"""
    run_python(code, onnx_file, pictures / 'wide.png', tmp_path / 'out')
    assert len(json.loads((tmp_path / 'out/predictions.json').read_text())) == 1


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['none.onnx', 'a.png'], 'there is no exported file none.onnx'),
        (['cut.onnx', 'a.png'], 'cut.onnx cannot be read as an exported model'),
        (['other.onnx', 'a.png'], 'other.onnx has no metadata of hrformer_mm'),
        (['{file}', '{picture}', '--boxes', 'none.json'], 'there is no file of boxes'),
        (['{file}', '{picture}', '--cfg-options', 'a=1'], '--cfg-options is for configs'),
        (['{file}', '{picture}', '--device', 'cuda:99'], 'the device cuda:99 cannot be used'),
        (['{file}'], "Missing argument '[CHECKPOINT] INPUTS...'"),
    ],
)
def test_bad_input(onnx_file, pictures, tmp_path, monkeypatch, arguments, message):
    import onnx

    monkeypatch.chdir(tmp_path)
    cv2.imwrite('a.png', np.zeros((32, 32, 3), np.uint8))
    model = onnx.load(onnx_file)
    with open('cut.onnx', 'wb') as file:
        file.write(model.SerializeToString()[:-5000])
    del model.metadata_props[:]
    onnx.save(model, 'other.onnx')
    arguments = [word.format(file=onnx_file, picture=pictures / 'wide.png') for word in arguments]
    result = call(*arguments, '-o', 'out')
    assert result.exit_code in (1, 2) and message in result.output, result.output
    assert 'Traceback' not in result.output and not (tmp_path / 'out').exists()


def test_no_engine(onnx_file, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match='requires onnxruntime: pip install onnxruntime'):
        runtime.load(onnx_file, engine='onnxruntime')


@pytest.mark.slow
@pytest.mark.parametrize('task, size', [('seg', (520, 693)), ('cls', None)])
def test_files(micro, pictures, tmp_path, task, size):
    """Export a file, and run it with the command."""
    pytest.importorskip('onnxruntime')
    export(*micro[task], str(tmp_path / 'a.onnx'), size=size)
    picture = str(pictures / 'wide.png')
    assert call(tmp_path / 'a.onnx', picture, '-o', tmp_path / 'a').exit_code == 0
    (found,) = json.loads((tmp_path / 'a/predictions.json').read_text())
    same(found, predict(*micro[task], [picture], str(tmp_path / 'b'), 'cpu').results[0])
