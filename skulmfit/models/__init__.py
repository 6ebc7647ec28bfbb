"""Models as plain data: architecture, tokenizer, weights; their files, names and cards, and models of other libraries.

Knows how networks are built, but not how they are trained or read with.
"""
