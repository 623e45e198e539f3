//! What a course says of the two lowest storeys, measured with the machines that the labs run.
//!
//! [`arq`] measures the utilisation of a noisy line against the textbook formulas and draws it; [`checks`] counts what
//! each error detection misses; [`line`] shows a frame as bits and as a waveform.

pub mod arq;
pub mod checks;
pub mod line;
mod plot;
