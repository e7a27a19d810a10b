"""The shim: the process that runs one pod, reaps it, records what became of it, and outlives the runner."""
