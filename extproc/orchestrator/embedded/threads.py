"""Imported before numpy: one thread is enough for products this small.

With more, OpenBLAS lets them spin for each other, and where other processes (Envoy, more workers)
use the same cores the slowest decisions take ten times as long.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
