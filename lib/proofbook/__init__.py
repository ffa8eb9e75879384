"""Did the fix really restore it?"""
