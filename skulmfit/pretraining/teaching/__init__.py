"""Teaching: a language model learns to give segments of text the vectors that a sentence encoder gives them.

Knows nothing of the estimators.
"""
