"""AcceleratorClass: from the class, nodes and pods to what is free and what the scheduler is told."""
