"""The one training loop, what it is told by recipes and stages, who watches it, and the two halves of ULMFiT.

Takes data, models and a recipe; gives models and their history. Knows nothing of scikit-learn.
"""
