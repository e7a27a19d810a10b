"""Why does this package stand apart? It is the operator at work: it reads caches, writes children, writes status."""
