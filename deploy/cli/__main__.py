"""Run the command line as ``python -m deploy.cli``."""

from deploy.cli.main import main

main(prog_name="switchboard")
