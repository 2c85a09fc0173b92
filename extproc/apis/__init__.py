"""The client APIs: bytes to Conversation, and errors in each API's shape."""
