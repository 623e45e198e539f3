//! What a course says of the two lowest storeys, measured with the machines that the labs run.
//!
//! [`arq`] measures the utilisation of a noisy line against the textbook formulas and draws it; [`checks`] counts what
//! each error detection misses; [`line`] shows octets as every PHY sends them, and [`bits`] a frame of a run.

pub mod arq;
pub mod bits;
pub mod checks;
pub mod line;
