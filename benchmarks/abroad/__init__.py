"""Servers of other make than the rehearsal's, broken or well in known ways, and how `proofbook try` judges them."""
