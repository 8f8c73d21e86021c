"""Where money went, and where it came from: lots over movements, under named conventions, every unit accounted for."""
