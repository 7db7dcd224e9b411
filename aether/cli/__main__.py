"""`python -m aether.cli`: the aether command where no script is installed."""

from aether.cli.main import main

main()
