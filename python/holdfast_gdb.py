"""holdfast inside gdb: `source holdfast_gdb.py`, then `help holdfast`.

gdb runs a sourced file among the user's own names: all else is in a module.
"""
import os
import sys

if os.path.dirname(os.path.realpath(__file__)) not in sys.path:
    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import holdfast_gdb_commands    # noqa: it is beside this file

holdfast_gdb_commands.start()
