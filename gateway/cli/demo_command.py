"""`demo`: the click command; the night itself is played by `gateway.cli.demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import click

from gateway.cli.options import examples

Rule = Literal["equal-share", "first-come", "uncontrolled"]


@examples(
    "busbar demo",
    "busbar demo --seed 7 --json",
    "busbar demo --baseline equal-share",
    "busbar demo --scenario examples/bus-142/impossible.toml",
    "busbar demo --serve",
)
@click.command()
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="At most so many simulated seconds per second; no cap by default.",
)
@click.option("--seed", type=int, default=142, show_default=True, help="Same seed, same night.")
@click.option("--scenario", type=click.Path(path_type=Path), help="Another scenario's folder or file.")
@click.option(
    "--baseline",
    type=click.Choice(["equal-share", "first-come", "uncontrolled"]),
    help="The same night without planning.",
)
@click.option("--serve", is_flag=True, help="Keep the pages open afterwards.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    default=Path("var/demo"),
    show_default=True,
    help="Where the evidence is left.",
)
def demo(
    speed: float | None, seed: int, scenario: Path | None, baseline: str | None, serve: bool, as_json: bool, keep: Path
) -> None:
    """Play BUS-142's night over real sockets: chargers, grid operator and scheduler against this hub. Exit 0 only if every promise was kept."""
    from gateway.cli import demo as night

    rule = cast(Rule | None, baseline)
    code = night.run(speed=speed, seed=seed, scenario=scenario, baseline=rule, serve=serve, as_json=as_json, keep=keep)
    raise click.exceptions.Exit(code)
