"""Imports point one way: each part may import those before it, and nothing imports the command line."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'hrformer_mm'
ALLOWED = {
    'arguments': set(),
    'compat': set(),
    'checks': set(),
    'registry': set(),
    'zoo': set(),
    'inferencers': {'zoo'},
    'kernels': set(),
    'ops': {'kernels'},
    'layers': {'arguments', 'kernels', 'ops'},
    'weights': {'ops'},
    'models': {'arguments', 'registry', 'ops', 'layers', 'weights'},
    'deploy': {'kernels', 'ops', 'layers', 'models'},
    'segfix': {'arguments', 'registry', 'layers'},
    'hooks': {'checks', 'registry', 'weights'},
    'data': set(),
    'tools': {'checks', 'registry', 'kernels', 'ops', 'layers', 'weights', 'models', 'deploy', 'segfix', 'data', 'zoo'},
    'cli': {'__init__', 'tools', 'data'},
    '__main__': {'cli'},
    '__init__': {'checks', 'compat', 'inferencers'},
}


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def imports(path: Path):
    """The parts of this package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parent
            for _ in range(node.level - 1):
                base = base.parent
            for name in [node.module] if node.module else [alias.name for alias in node.names]:
                target = base / name.replace('.', '/')
                if target.is_dir() or target.with_suffix('.py').exists():
                    yield part(target.with_suffix('.py') if target.with_suffix('.py').exists() else target)
                else:
                    yield '__init__' if base == PACKAGE else part(base)
        elif isinstance(node, ast.ImportFrom) and (node.module or '').startswith('hrformer_mm'):
            yield (node.module.split('.') + ['__init__'])[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert not alias.name.startswith('hrformer_mm'), f'{path}: import relatively'


@pytest.mark.parametrize('path', sorted(PACKAGE.rglob('*.py')), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_direction(path):
    own = part(path)
    for target in imports(path):
        assert target == own or target in ALLOWED[own], f'{path} imports {target}'


def test_the_walk_sees_imports():
    assert {'ops'} <= set(imports(PACKAGE / 'layers' / 'attention.py'))
    assert {'layers', 'registry', 'weights'} <= set(imports(PACKAGE / 'models' / 'hrformer.py'))
    assert 'compat' in set(imports(PACKAGE / '__init__.py'))


def test_files_are_short():
    long = {str(p): n for p in PACKAGE.rglob('*.py') if (n := len(p.read_text().splitlines())) > 320}
    assert not long
