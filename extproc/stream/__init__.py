"""The ext_proc stream as a state machine without I/O."""
