"""From Kubernetes objects to what the plan reads: pods, failures, revisions. Pure functions over dicts."""
