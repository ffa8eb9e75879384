"""API definitions in one form, whether one schema is contained in another, and what a change breaks for clients."""
