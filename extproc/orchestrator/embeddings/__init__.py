"""The embeddings strategy: any server of OpenAI's `/v1/embeddings` behind the same scorer."""

from extproc.orchestrator.embeddings.cache import VectorCache, cache_folder
from extproc.orchestrator.embeddings.embedder import Embedder
from extproc.orchestrator.embeddings.strategy import EmbeddingsStrategy

__all__ = ["Embedder", "EmbeddingsStrategy", "VectorCache", "cache_folder"]
