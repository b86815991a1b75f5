"""What tests of Strandline, and of code that builds on it, can use: no test runner needed.

`checks` verifies the contract of every array that the package returns, `lakes` makes small
scenes whose truth is known, `strategies` (which needs Hypothesis) draws awkward scenes.
"""
