"""A model decides: any server of OpenAI's `/v1/chat/completions`."""

from extproc.orchestrator.model.prompt import Prompt
from extproc.orchestrator.model.strategy import ModelStrategy

__all__ = ["ModelStrategy", "Prompt"]
