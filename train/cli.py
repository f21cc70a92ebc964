"""The whole command line: deriving, generating and auditing; training what was generated."""

from __future__ import annotations

from codegen.cli import main
from train.command import predict_command, sample_command, train_command

for command in (train_command, predict_command, sample_command):
    main.add_command(command)

__all__ = ["main"]
