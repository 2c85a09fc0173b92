"""Filter chains: what looks at requests and answers, and may change or refuse them."""
