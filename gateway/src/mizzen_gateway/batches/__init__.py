"""Files and batches of callers: the control plane keeps them, the gateway lets callers at them."""
