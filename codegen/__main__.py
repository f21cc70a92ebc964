"""`python -m codegen` is the command `bptt`."""

from codegen.cli import main

if __name__ == "__main__":
    main(prog_name="bptt")
