"""The whole command line: deriving, generating and auditing; training what was generated."""

from __future__ import annotations

import importlib

import click

from codegen.cli import main as generating

# Training loads SciPy, which takes as long as a derivation: only for who trains.
TRAINING = {"train": "train_command", "predict": "predict_command", "sample": "sample_command"}


class Commands(click.Group):
    """The commands of `codegen`, and those of `train`, which are loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *TRAINING])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in TRAINING:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(importlib.import_module("train.command"), TRAINING[cmd_name])
        return found


main = Commands(
    name=generating.name,
    commands=generating.commands,
    params=generating.params,
    callback=generating.callback,
    help=generating.help,
    context_settings=generating.context_settings,
)
