"""Teaching: segments, a sentence encoder's vectors of them, a run that learns both. Knows nothing of the estimators."""
