"""Links of a case: what they follow from is gathered, inferred, kept in versions, and worded."""
