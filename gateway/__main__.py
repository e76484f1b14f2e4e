"""`python -m gateway` is `tracuu`, also from a checkout that is not installed."""

from gateway.cli import main

main()
