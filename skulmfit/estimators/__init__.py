"""Everything that knows scikit-learn: the estimators, what they take and check, keep, cache and save.

Knows nothing of how networks are built and trained.
"""
