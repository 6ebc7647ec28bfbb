"""What a trained model makes of texts: pooled states, outputs, log-likelihoods, more text. Knows no training."""
