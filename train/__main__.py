"""`python -m train` is the command `bptt`."""

from train.cli import main

if __name__ == "__main__":
    main(prog_name="bptt")
