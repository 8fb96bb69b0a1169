"""What tests of a tap are made of, and a way to make a tap.

runs        a tap run as a process, its messages read and checked
lint        the linter of messages
contract    what every stream of every tap promises, as tests that any module may take over
taps        the one list of taps
scaffold    makes a tap: `python -m shared.testing new tap-x`
skeleton    what is made
"""
