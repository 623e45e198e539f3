//! Septet, the library: a whole network in one process.
