"""The app: the whole way from scenes to areas in a browser, served on this machine.

`library.py` says what pages may open, `analysis.py` goes the way step by step, `job.py` does so
in a thread, `state.py` holds all that one page knows, `address.py` keeps it in the page's address,
and `commands.py` writes what does the same elsewhere. None of these knows Panel.
"""
