"""``jamlab doctor``: what this machine has and lacks, as a table."""

import argparse
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from jamlab.cli.machine import doctor
from jamlab.cli.machine.doctor import Finding
from jamlab.terminal import PlainConsole, literal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the run of ``jamlab doctor``, which has no options."""
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Run ``jamlab doctor`` and return its exit status: 1 when something essential is lacking."""
    out = PlainConsole()
    findings = doctor.examine()
    out.print(findings_table(findings))
    lacking = [each.subject for each in findings if each.essential and not each.fine]
    if lacking:
        said = f"jamlab cannot measure here as long as this is not fine: {', '.join(lacking)}."
    else:
        said = "Nothing that jamlab needs is lacking; what has a ✗ is optional."
    out.print(literal(said), soft_wrap=True)
    return int(bool(lacking))


def findings_table(findings: Iterable[Finding]) -> Table:
    """Return the doctor's findings, a row each, with the remedy for those that are not fine."""
    table = Table("", "subject")
    for heading in ("found", "what to do"):
        table.add_column(heading, overflow="fold")  # a version is cut nowhere
    for finding in findings:
        mark = Text("✓", style="green") if finding.fine else Text("✗", style="red")
        remedy = "" if finding.fine else finding.remedy
        table.add_row(mark, *map(literal, (finding.subject, finding.detail, remedy)))
    return table
