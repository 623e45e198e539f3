//! Storey 1: bits on a wire, channels and the queue in front of them.
