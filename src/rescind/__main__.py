"""`python -m rescind`."""

from rescind.cli import main

main()
