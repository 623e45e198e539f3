//! Texts with places.
//!
//! What reads a file of keys and small languages, and knows nothing of networks: a [`document`] in which every value knows
//! its place, a [`schema`] of the keys that it may have, [`units`], the [`words`] of a string, [`names`] and ranges of them,
//! what a misspelt one was [meant](nearest) to be, and every [`mistake`] with its place and its mend.

pub mod document;
pub mod mistake;
pub mod names;
pub mod nearest;
pub mod schema;
pub mod units;
pub mod words;
