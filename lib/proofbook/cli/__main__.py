"""`python -m proofbook.cli`."""

from proofbook.cli import main

main()
