//! Storey 4: TCP and UDP.
