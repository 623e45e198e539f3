//! Nothing but a test: a run in virtual time asks neither the real clock nor the operating system for randomness.
