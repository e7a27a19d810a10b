"""The runner: carries out the operator's plan as processes. Observe, plan with reasons, apply, one status write."""
