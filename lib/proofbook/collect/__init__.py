"""Collectors: they observe a system and record evidence, and judge nothing."""

import logging

# A library writes its log only where somebody asks for it: `proofbook -v`, or a handler of one's own.
logging.getLogger(__name__).addHandler(logging.NullHandler())
