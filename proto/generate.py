"""Compile proto/ into extproc/_pb/: `python proto/generate.py`, or `make proto`.

Needs grpcio-tools as pinned in pyproject.toml: generated code may be older than the protobuf
runtime that reads it, never newer.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
SOURCE = ROOT / "outerloop_ext_proc.proto"
TARGET = ROOT.parent / "extproc" / "_pb"


def main(target: Path = TARGET) -> int:
    """Write outerloop_ext_proc_pb2.py and its stub into `target`; return protoc's exit code."""
    target.mkdir(exist_ok=True)
    return int(
        protoc.main(
            [
                "protoc",
                f"--proto_path={SOURCE.parent}",
                f"--proto_path={files('grpc_tools') / '_proto'}",
                f"--python_out={target}",
                f"--pyi_out={target}",
                SOURCE.name,
            ]
        )
    )


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
