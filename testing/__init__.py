"""What tests and benchmarks share: a Zeek, a client, a worker, a browser, and made-up traffic.

It lies at the root, beside both, because neither should import the other; it is not installed.
"""
