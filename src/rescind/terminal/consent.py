"""Consent: nothing is done that was not shown and agreed to."""

import sys

import click

from rescind.model.errors import Changed
from rescind.terminal import show
from rescind.terminal.names import names_of_impact
from rescind.usecases.impacts import Impact
from rescind.usecases.service import Answer, Service


def demand_somebody(*, yes: bool) -> None:
    """Refuse to go on where nobody sits at the terminal who could be asked, unless all is said with `yes`."""
    if not yes and not sys.stdin.isatty():
        raise click.ClickException("there is nobody to be asked: `rescind preview` shows what it would do, --yes does")


def agreed(
    service: Service, shown: Answer[Impact], question: str, *, yes: bool, as_json: bool, if_match: str = ""
) -> str:
    """Show what would be done and ask; the digest of what is agreed to, empty where any will do.

    Raises `Changed` if it is not `if_match`, where that is given, and `Abort` if the answer is no. Where the command
    answers in JSON it is said on standard error, and not at all if nobody is asked.
    """
    wanted = if_match.strip('"')
    if wanted and wanted != shown.result.digest:
        raise Changed(f"the impact is no longer the one that was previewed: it is {shown.result.digest} by now")
    if not (as_json and yes):
        show.impact(shown.result, service.look(shown, names_of_impact, shown.result), is_aside=as_json)
    if yes:
        return wanted
    click.confirm(question, abort=True, err=as_json)
    return shown.result.digest
