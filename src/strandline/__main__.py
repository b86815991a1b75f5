"""``python -m strandline`` is the command line."""

from strandline.cli import main

main()
