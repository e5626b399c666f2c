"""The zoo lists every config, and counted figures agree with published ones."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from hrformer_mm.cli import main
from hrformer_mm.commands import zoo

ROOT = Path(__file__).parents[2]
ENTRIES = zoo.read_models()
# Not within 3 % because of misprints, which the notes of the metafile explain.
MISPRINTS = ('td-hm_hrformer-t_coco-384x288',)


def digits(number: int, printed: str) -> str:
    """Format a number like `printed`, for example 8035820 as '8.0 M'."""
    if not printed.endswith((' M', ' G')):
        return str(number)
    figure, unit = printed.split()
    return f'{number / dict(M=1e6, G=1e9)[unit]:.{len(figure.partition(".")[2])}f} {unit}'


def test_every_config_has_an_entry():
    configs = {
        str(path.relative_to(ROOT))
        for folder in ('.', 'ablations')
        for path in (ROOT / 'configs' / folder).glob('*.py')
    }
    assert {entry['Config'] for entry in ENTRIES} == configs and len(ENTRIES) == len(configs)
    assert {entry['Name'] for entry in ENTRIES} == {Path(config).stem for config in configs}


@pytest.mark.parametrize('entry', ENTRIES, ids=lambda entry: entry['Name'])
def test_entry(entry):
    """The entry follows model-index, and agrees with the docstring of the config."""
    about = entry['Metadata']
    text = Path(entry['Path']).read_text()
    assert f'{about["Parameters"]:,} parameters' in text
    assert ('Results' in entry) == ('Origin' in about) and about.get('Origin', 'published') == 'published'
    for result in entry.get('Results', ()):
        assert set(result) == {'Task', 'Dataset', 'Metrics'}
        assert all(str(score) in text for score in result['Metrics'].values())
    if 'Parameters' in about.get('Paper', {}):
        printed = str(about['Paper']['Parameters'])
        assert digits(about['Parameters'], printed) == printed


def test_index_is_read_by_mim():
    from mim.utils.utils import get_installed_path  # noqa: F401  (mim is there, and with it its reader)
    from modelindex.load_model_index import load

    index = load(str(ROOT / 'model-index.yml'))
    index.build_models_with_collections()
    assert len(index.models) == len(ENTRIES) and all(model.in_collection == 'HRFormer' for model in index.models)


@pytest.mark.slow
def test_counts_agree_with_what_is_published():
    rows = zoo.model_rows(count=True)
    assert len(rows) == len(ENTRIES)
    for row, entry in zip(rows, ENTRIES):
        assert row.parameters == entry['Metadata']['Parameters'], row.name
        if row.paper_operations:
            printed = float(row.paper_operations.split()[0]) * 1e9
            close = abs(row.paper_convention - printed) <= 0.03 * printed
            assert close != (row.name in MISPRINTS) and (close or row.note), row.name
    assert rows == zoo.model_rows(), 'count again: hrformer-mm zoo --count'
    assert zoo.markdown(rows) == (ROOT / 'docs/model_zoo.md').read_text(), 'regenerate it: hrformer-mm zoo --markdown'


@pytest.mark.slow
def test_peers_agree_with_what_is_published():
    rows = zoo.peer_rows(count=True)
    assert len(rows) == len(yaml.safe_load(zoo.PEERS.read_text()))
    assert rows == zoo.peer_rows(), 'count again: hrformer-mm zoo --count'
    for row in rows:
        if row.paper_operations:
            giga = 2**30 if '2^30' in row.note else 1e9
            assert abs(row.everything / giga - float(row.paper_operations.split()[0])) < 0.06, row
            assert digits(row.parameters, row.paper_parameters) == row.paper_parameters or row.note, row


def test_stored_figures_agree_with_the_metafile():
    rows = zoo.model_rows()
    assert [row.parameters for row in rows] == [entry['Metadata']['Parameters'] for entry in ENTRIES]
    assert {row.config for row in (*rows, *zoo.peer_rows())} == set(zoo.read_counts())


def test_readme():
    """Parameters, multiply-adds and scores of the tables in README.md."""
    text = (ROOT / 'README.md').read_text()
    rows = {row.name: row for row in zoo.model_rows()}
    models = r'^\| `([\w-]+)` \| [\w-]+ \| ([\d.]+ M) \| ([\d.]+) \| [\w-]+ ([\d.]+) \|$'
    lines = re.findall(models, text, re.MULTILINE)
    assert len(lines) == 10
    for name, parameters, gmac, score in lines:
        row = rows[name]
        assert (digits(row.parameters, parameters), f'{row.everything / 1e9:.2f}') == (parameters, gmac), name
        assert re.search(rf' {score}\b', row.scores), name
    peers = {(row.name.replace('UperNet', 'UPerNet'), row.size): row for row in zoo.peer_rows()}
    for name, model in (('T', 't_coco'), ('S', 's_coco'), ('B', 'b_coco')):
        peers[f'HRFormer-{name}', (256, 192)] = rows[f'td-hm_hrformer-{model}-256x192']
    for name in 'SB':
        peers[f'HRFormer-{name} + OCR', (1024, 1024)] = rows[f'ocr_hrformer-{name.lower()}_cityscapes']
    lines = re.findall(r'^\| ([\w +-]+) \| ([\d.]+ M) \| ([\d.]+)(?: at (\d+)x\d+)? \|', text, re.MULTILINE)
    assert len(lines) == 14
    for name, parameters, gmac, side in lines:
        row = peers[name, (int(side), int(side)) if side else (256, 192)]
        count = f'{row.everything / 1e9:.0f}' if side else f'{row.everything / 1e9:.2f}'
        assert (digits(row.parameters, parameters), count) == (parameters, gmac), name


@pytest.mark.integration
def test_the_table_is_printed_without_torch_and_without_warnings():
    code = (
        "import sys; from hrformer_mm.cli import main; main(['zoo', '--peers'], standalone_mode=False); "
        "sys.exit('torch' in sys.modules or 'mmengine' in sys.modules)"
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, '') and 'HRNet-W48' in done.stdout


def test_tables(tmp_path, monkeypatch):
    """Test one config of another root; the slow tests check the whole table."""
    monkeypatch.setattr(zoo, 'PEERS', tmp_path / 'peers.yml')
    config = ROOT / 'configs/td-hm_hrformer-t_coco-256x192.py'
    (tmp_path / 'model-index.yml').write_text('Import: [metafile.yml]')
    (tmp_path / 'metafile.yml').write_text(
        yaml.safe_dump(
            dict(
                Models=[
                    dict(
                        Name='tiny',
                        Config=str(config),
                        Results=[dict(Task='t', Dataset='d', Metrics=dict(AP=70.9))],
                        Metadata={
                            'Training Data': 'COCO',
                            'Origin': 'published',
                            'Note': 'a note',
                            'Paper': {'Where': 'table 3', 'Operations': '1.3 G'},
                        },
                    )
                ]
            )
        )
    )
    (tmp_path / 'peers.yml').write_text(
        '[{Name: ResNet-18, Config: "mmpretrain::resnet/resnet18_8xb32_in1k.py", Table: 6, Parameters: 11.7 M}]'
    )
    run = CliRunner()
    table = run.invoke(main, ['zoo', '--root', str(tmp_path), '--peers'])
    assert table.exit_code == 0, table.output
    for line in (
        r'tiny +256x192 +2,518,071 +1\.48 G +1\.29 G +1\.3 G +table 3 +d: AP 70\.9 \(published\)',
        r'ResNet-18 +224x224 +11,689,512 +11\.7 M +1\.81 G',
        'tiny: a note',
    ):
        assert re.search(line, table.output)
    (first,) = json.loads(run.invoke(main, ['zoo', '--root', str(tmp_path), '--json']).stdout)
    assert first['paper_convention'] == 1_288_437_792 and first['size'] == [256, 192]
    page = tmp_path / 'page.md'
    assert run.invoke(main, ['zoo', '--root', str(tmp_path), '--markdown', str(page)]).exit_code == 0
    assert '## COCO' in page.read_text() and f'| [tiny](../{config}) | 256x192 | 2,518,071' in page.read_text()
    (tmp_path / 'model-index.yml').unlink()
    missing = run.invoke(main, ['zoo', '--root', str(tmp_path)])
    assert missing.exit_code == 1 and 'there is no model-index.yml' in missing.output
