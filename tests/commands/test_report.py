"""The report shows the values in the files of mmengine."""

import base64
import json
import math
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from mmengine.hooks import Hook
from PIL import Image
from prettytable import PrettyTable

from hrformer_mm.cli import main
from hrformer_mm.commands.report import report
from hrformer_mm.commands.report.plots import picture, plot
from hrformer_mm.commands.report.training import Curve


class Page(HTMLParser):
    """The tables by section, notes, collapsible texts and images of a page."""

    def __init__(self, path):
        super().__init__()
        self.source = Path(path).read_text(encoding='utf-8')
        self.rows, self.notes, self.pre, self.images, self.section, self.into = {}, [], [], {}, None, None
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == 'section':
            self.section = attributes['id']
            self.rows[self.section] = []
        elif tag == 'tr':
            self.rows[self.section].append([])
        elif tag in ('td', 'th', 'pre') or attributes.get('class') == 'note':
            into = self.rows[self.section][-1] if tag in ('td', 'th') else self.pre if tag == 'pre' else self.notes
            into.append('')
            self.into = into
        elif tag == 'img':
            self.images[attributes['alt']] = attributes['src']

    def handle_endtag(self, tag):
        if tag in ('td', 'th', 'pre', 'p'):
            self.into = None

    def handle_data(self, data):
        if self.into is not None:
            self.into[-1] += data

    def svg(self, title):
        return base64.b64decode(self.images[title].removeprefix('data:image/svg+xml;base64,')).decode()


class Interrupt(Hook):
    """Interrupts a training after its third iteration, as Ctrl-C does."""

    priority = 'VERY_LOW'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 2:
            raise KeyboardInterrupt


@pytest.fixture(scope='module')
def small_training():
    """Import the module of the hooks' tests once, since it registers classes."""
    sys.path.insert(0, str(Path(__file__).parents[1] / 'hooks'))
    import small_training

    sys.path.pop(0)
    return small_training


@pytest.fixture(scope='module')
def work(small_training, tmp_path_factory):
    """Run a training, interrupt it after iteration 3, resume it after 2, and test it."""
    folder = tmp_path_factory.mktemp('report') / 'work'
    save = dict(
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False),
        )
    )
    first = small_training.runner(folder, validate=True, **save)
    first.register_hook(Interrupt())
    with pytest.raises(KeyboardInterrupt):
        first.train()
    rename(folder, first.timestamp, '20260101_000001')
    second = small_training.runner(folder, validate=True, resume=True, **save)
    second.train()
    rename(folder, second.timestamp, '20260101_000002')
    test = small_training.runner(folder, load_from=str(folder / 'iter_4.pth'))
    test.test()
    rename(folder, test.timestamp, '20260101_000003')
    return folder


def rename(folder, old, new):
    """Change the start time of a run; mmengine's has a resolution of one second."""
    run = (folder / old).rename(folder / new)
    for path in run.glob(f'{old}.*'):
        path.rename(path.with_stem(new))


def make(folder, name='20260101_120000', records=(), log='', **files):
    """Write the files of a run."""
    run = folder / name
    (run / 'vis_data').mkdir(parents=True)
    (run / 'vis_data/scalars.json').write_text(''.join(json.dumps(record) + '\n' for record in records))
    (run / f'{name}.log').write_text(log)
    for path, text in files.items():
        (run / path).write_text(text)
    return run


def page_of(folder, **options):
    """Return the page and the returned notes."""
    output = folder.parent / 'page.html'
    notes = report(str(folder), str(output), **options)
    return Page(output), notes


def records(run):
    return [json.loads(line) for line in (run / 'vis_data/scalars.json').read_text().splitlines()]


def test_values_are_the_records_joined(work):
    page, _ = page_of(work)
    first, second = (records(work / f'20260101_00000{number}') for number in (1, 2))
    joined = [record for record in first if record.get('iter', 9) <= 2] + [r for r in second if 'iter' in r]
    assert [record['iter'] for record in joined] == [1, 2, 3, 4]
    table = {row[0]: row[1:] for row in page.rows['Training'][1:]}
    assert set(table) == {'lr', 'loss', 'loss_a', 'loss_b', 'time', 'data_time'}
    for name, row in table.items():
        values = [record[name] for record in joined]
        expected = [min(values), 1 + np.argmin(values), max(values), 1 + np.argmax(values), values[-1], 4]
        assert [float(cell) for cell in row] == pytest.approx(expected, rel=1e-5)
    # `Rising` scores the iteration at which it was called; the validations' own step is the epoch, 0.
    assert page.rows['Scores'][1][0] == 'score' and page.rows['Scores'][1][2::2] == ['1', '4', '4']
    assert page.rows['Scores'][3] == ['score', '0']
    assert 'Records that a resumed run replaced, not shown: 1.' in page.notes
    for title in ('Losses', 'Learning rate', 'Seconds per iteration'):
        assert '20260101_000002 resumed' in page.svg(title)


def test_runs_and_folded_texts(work):
    page, _ = page_of(work)
    rows = {row[0]: row[1:4] + row[5:] for row in page.rows['Runs'][1:]}
    assert rows == {
        '20260101_000001': ['1 to 3', '', '', ''],
        '20260101_000002': ['3 to 4', '2', 'iter_2.pth', ''],
        '20260101_000003': ['', '', 'iter_4.pth', 'yes'],
    }
    assert page.rows['Summary'][0] == ['Last logged iteration', '4, Iter(train) [4/4]']
    assert [row[0] for row in page.rows['Checkpoints'][1:]] == ['iter_2.pth', 'iter_4.pth']
    config, environment = page.pre
    assert config.strip() == (work / '20260101_000002/vis_data/config.py').read_text().strip()
    assert 'PyTorch: ' in environment and 'GPU number: 1' in environment


def test_nothing_is_fetched(work):
    page, _ = page_of(work)
    assert page.images and all(address.startswith('data:image/') for address in page.images.values())
    assert not re.search(r'<script|<link|<iframe|@import|url\(|https?:', re.sub(r'(?s)<pre>.*?</pre>', '', page.source))


def test_epochs(small_training, tmp_path):
    small_training.runner(tmp_path / 'work', 2, by_epoch=True, validate=True).train()
    page, _ = page_of(tmp_path / 'work')
    assert page.rows['Scores'][0][2] == 'at epoch' and page.rows['Scores'][1][2::2] == ['1', '2', '2']
    assert page.rows['Summary'][0] == ['Last logged iteration', '8, Epoch(train) [2][4/4]']


def test_diverged(small_training, tmp_path):
    """The page has the reason that the Safeguard hook logs."""
    with pytest.raises(FloatingPointError):
        small_training.runner(tmp_path / 'work', 6, model=dict(broken_at=3)).train()
    page, _ = page_of(tmp_path / 'work')
    assert any(row[0] == 'Last error' and 'loss_b is nan' in row[1] for row in page.rows['Summary'])


def test_losses_that_are_not_finite(tmp_path):
    make(tmp_path / 'work', records=[dict(iter=i, loss=math.nan if i == 2 else 1 / i) for i in (1, 2, 3)])
    page, _ = page_of(tmp_path / 'work')
    assert 'loss is not finite at iteration 2, the first of those logged.' in page.notes
    assert page.rows['Training'][1] == ['loss', '0.333333', '3', '1', '1', '0.333333', '3']


def test_classes(tmp_path):
    """Tables of mmseg and mmdet, another table, and lists of mmpretrain."""

    def log(*columns, **rows):
        table = PrettyTable(columns)
        table.add_rows([[name, *values] for name, values in rows.items()])
        return f'2026/01/01 12:00:00 - mmengine - INFO - \n{table.get_string()}\n'

    make(
        tmp_path / 'work',
        records=[dict(iter=1, loss=1)],
        log=''.join(
            [
                log('Class', 'IoU', 'Acc', road=(1, 2), car=(3, 4)),
                log('Class', 'IoU', 'Acc', road=('85.20', '90.00'), car=('nan', '100.0')),
                log('name', 'value', lr=(1,)),
            ]
        ),
    )
    make(
        tmp_path / 'work',
        '20260102_120000',
        log=log('category', 'mAP', person=('0.5',)),
        **{'20260102_120000.json': '{"accuracy/top1": 50.0, "single-label/precision": [25.0, 75.0]}'},
    )
    page, _ = page_of(tmp_path / 'work')
    assert page.rows['Classes'] == [
        ['Class', 'IoU', 'Acc'],
        ['road', '85.20', '90.00'],
        ['car', 'nan', '100.0'],
        ['category', 'mAP'],
        ['person', '0.5'],
        ['Class', 'single-label/precision'],
        ['0', '25'],
        ['1', '75'],
    ]
    assert page.rows['Scores'] == [['Score', 'Value'], ['accuracy/top1', '50']]
    shutil.rmtree(tmp_path / 'work/20260101_120000')
    assert 'There is no training in this folder.' in page_of(tmp_path / 'work')[1]


@pytest.mark.parametrize(
    'change, note',
    [
        (lambda run: (run / 'vis_data/scalars.json').unlink(), 'vis_data/scalars.json is missing: losses and scores'),
        (
            lambda run: (run / f'{run.name}.log').unlink(),
            '.log is missing: duration, environment, classes and resumption',
        ),
        (
            lambda run: (run / 'vis_data/scalars.json').write_text('{"iter": 1, "loss": 2}\n{"iter"'),
            '1 of the lines in',
        ),
        (lambda run: (run / f'{run.name}.json').write_text('[1]'), 'is not a JSON object: the scores of the test'),
        (
            lambda run: (run.parent / 'last_checkpoint').write_text('/elsewhere/iter_9.pth'),
            'last_checkpoint names iter_9.',
        ),
        (lambda run: (run.parent / 'a.png').write_text('no picture'), 'a.png is not a readable picture'),
        (lambda run: None, 'The config is neither in vis_data/config.py nor in the log'),
        (lambda run: None, 'The logs do not contain the environment'),
        (lambda run: None, 'There is no checkpoint (*.pth)'),
        (lambda run: None, 'There is no last_checkpoint'),
        (lambda run: None, 'There are no pictures'),
        (lambda run: None, 'There is no test'),
        (lambda run: None, 'There is no validation'),
        (lambda run: None, 'There are no scores of single classes'),
        (lambda run: None, 'Learning rate: none was logged'),
    ],
)
def test_missing_files_are_named(tmp_path, change, note):
    change(make(tmp_path / 'work', records=[dict(iter=1, loss=2.0)]))
    page, notes = page_of(tmp_path / 'work')
    assert any(note in line for line in page.notes), page.notes
    assert any(note in line for line in notes)


def test_a_training_that_did_not_resume_is_separate(tmp_path):
    for name, loss in (('20260101_120000', 1.0), ('20260102_120000', 2.0)):
        make(tmp_path / 'work', name, [dict(iter=1, loss=loss)])
    page, _ = page_of(tmp_path / 'work')
    assert 'The page is about the newest training. It did not resume these: 20260101_120000.' in page.notes
    assert page.rows['Training'][1][1] == '2'


def test_nothing_is_executed(tmp_path):
    """Code in configs, logs, records, scores and pictures is not executed."""
    marker = tmp_path / 'marker'
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    eval(code)
    marker.unlink()  # the code does work
    html = '<script>alert(1)</script>{{ 1 / 0 }}{% include "x" %}'
    text = f'a = {code}\n{code}\n_base_ = ["{tmp_path}/base.py"]\n# {html}\n'
    (tmp_path / 'base.py').write_text(code)
    lines = ''.join(
        f'2026/01/01 12:00:00 - mmengine - {message}\n'
        for message in (
            f'INFO - Config:\n{text}',
            f'INFO - {code}',
            f'ERROR - {code}{html}',
            f'INFO - resumed epoch: 0, iter: {code}',
            f'INFO - \n+-+-+\n| Class | {html} |\n| {code} | {code} |',
            f'INFO - Load checkpoint from {html}',
        )
    )
    names = {f'{html} $\\input{{x}}$': 1.5, code: 0.5, '_loss': 2, 'iter': 1}
    broken = f'{code}\n{{"iter": {code}}}\n{{"iter": "{html}"}}\n{"[" * 10**5}\n{{"iter": 1{"0" * 400}}}\n'
    for name in ('20260101_120000', '20260102_120000'):
        run = make(
            tmp_path / 'work',
            name,
            [names, {html: 2, 'step': 1}],
            lines,
            **{f'{name}.json': json.dumps({html: 1, code: [1, 2], 'x': code})},
        )
        with (run / 'vis_data/scalars.json').open('a') as file:
            file.write(broken)
    (run / 'vis_data/config.py').write_text(text)
    (run.parent / 'last_checkpoint').write_text(code)
    # Without a limit to PNG and JPEG, Pillow starts Ghostscript for this file.
    (run.parent / 'a.png').write_text(f'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({marker}) (w) file\n')
    page, notes = page_of(tmp_path / 'work')
    assert not marker.exists()
    assert 'a.png is not a readable picture.' in notes
    assert sum('5 of the lines in scalars.json cannot be parsed' in note for note in notes) == 2
    assert code in page.pre[0] and html in page.pre[0] and '<script' not in page.source
    assert any(row[0] == 'Last error' and row[1] == code + html for row in page.rows['Summary'])
    assert '<script' not in ''.join(page.svg(title) for title in page.images)


def test_plot():
    """The axis is logarithmic if values are far apart, and the legend accepts any name."""

    def paths(curves, **options):
        svg = base64.b64decode(plot(curves, 'Iteration', **options).split(',')[1]).decode()
        assert all(curve.name in svg for curve in curves)
        found = re.findall(r'id="line2d_\d+">\s*<path d="([^"]+)" clip-path', svg)
        drawn = [np.array(re.findall(r'[ML] ([\d.]+) ([\d.]+)', path), float) * (1, -1) for path in found]
        return [points for points in drawn if len(points) == 4]

    values = np.array([0.001, 0.1, 0.01, 1.0])
    for log, expected in ((False, values), (True, np.log10(values))):
        (points,) = paths([Curve('_$x^', (1, 2, 3, 4), tuple(values))], log=log)
        for drawn, wanted in zip(points.T, (np.arange(4), expected)):
            np.testing.assert_allclose(
                (drawn - drawn.min()) / np.ptp(drawn), (wanted - wanted.min()) / np.ptp(wanted), atol=1e-3
            )


def test_pictures_are_chosen_evenly_and_made_smaller(tmp_path):
    run = make(tmp_path / 'work', records=[dict(iter=1, loss=1)])
    for number in range(5):
        Image.new('RGB', (30, 20), (10 * number, 100, 200)).save(run / f'{number}.png')
    page, notes = page_of(tmp_path / 'work', images=3)
    assert [name for name in page.images if name.endswith('png')] == ['0.png', '2.png', '4.png']
    assert '3 of 5 pictures; --images sets the number.' in notes
    Image.new('RGBA', (3000, 1500)).save(tmp_path / 'big.png')
    (tmp_path / 'big.jpg').write_bytes(base64.b64decode(picture(tmp_path / 'big.png').split(',')[1]))
    assert Image.open(tmp_path / 'big.jpg').size == (960, 480)


def test_command(tmp_path):
    make(tmp_path / 'work', records=[dict(iter=1, loss=1)])
    (tmp_path / 'shown').mkdir()
    Image.new('RGB', (30, 20)).save(tmp_path / 'shown/a.png')
    output = tmp_path / 'page.html'
    command = ['report', str(tmp_path / 'work'), '--pictures', str(tmp_path / 'shown'), '-o']
    result = CliRunner().invoke(main, [*command, str(output)])
    assert result.exit_code == 0, result.output
    assert result.output.endswith(f'Wrote {output}.\n') and 'a.png' in Page(output).images
    result = CliRunner().invoke(main, [*command, str(tmp_path / 'none/page.html')])
    assert result.exit_code == 1 and 'choose another output' in result.output
    for folder, message in ((tmp_path / 'none', 'there is no folder'), (tmp_path / 'shown', 'contains no run')):
        result = CliRunner().invoke(main, ['report', str(folder)])
        assert result.exit_code == 1 and message in result.output and 'Traceback' not in result.output
