"""HTTP/1.1 towards engines; the only place that opens a socket to one."""
