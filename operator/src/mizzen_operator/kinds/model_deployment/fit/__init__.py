"""Will a model fit the accelerators of a replica? Numbers, a sentence and a suggestion, before a pod is made."""
