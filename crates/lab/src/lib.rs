//! From a lab file to a world, its faults, expectations and results.
