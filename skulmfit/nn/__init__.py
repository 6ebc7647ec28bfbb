"""From token ids to hidden states, outputs and losses, and the devices that compute them. Knows nothing of text."""
