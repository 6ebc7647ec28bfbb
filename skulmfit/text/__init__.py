"""From strings to token ids and batches of them: rules, tokenizers, corpora. Knows nothing of networks and of torch."""
