"""`python -m skulmfit.pretraining`: from text files to a new language model. Knows nothing of the estimators."""
