"""Runs a command and then prints the most memory, in kB, that it or a process that it waited for held.

    python benchmarks/measured.py COMMAND …

A program of its own, since a process counts as its own what the one that started it held, and this one holds little.
"""

import resource
import subprocess
import sys

if __name__ == "__main__":
    code = subprocess.call(sys.argv[1:])
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    sys.exit(code)
