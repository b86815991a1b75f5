"""The command line: arguments to a study and its stages; no logic of its own.

Errors are one readable message and exit code 2; ``--debug`` shows the traceback.
"""

from strandline.cli.commands import app
from strandline.cli.run import main

__all__ = ["app", "main"]
