"""`hrformer-mm doctor`."""

import json
import sys

import click


@click.command()
@click.option('--json', 'as_json', is_flag=True, help='Print JSON.')
def doctor(as_json: bool) -> None:
    """Say what is installed, which known trap it meets, and the command that cures each.

    The exit code is 0 if all is well. It works where a library cannot be imported.
    """
    from ..tools.doctor import examine
    report = examine()
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
    else:
        for name, version in (('python', report.python), *report.versions.items()):
            click.echo(f'{name:18}{version}')
        for problem in report.problems:
            click.echo(f'\n{problem.what}\n    {problem.cure}')
        click.echo(f'\n{len(report.problems)} problems.' if report.problems else '\nAll is well.')
    sys.exit(1 if report.problems else 0)
