"""Companies, what authorities hold against them, and the cases in which people work."""
