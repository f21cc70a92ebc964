"""`python -m bptt` is the command `bptt`."""

from bptt.commands.main import main

if __name__ == "__main__":
    main(prog_name="bptt")
