"""Entry point of `python -m skulmfit.pretraining`."""

from skulmfit.pretraining.cli import main

main()
