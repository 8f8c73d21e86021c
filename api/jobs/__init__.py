"""Long work: asked for over REST, done by workers, its results downloaded."""
