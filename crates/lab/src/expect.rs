//! Expectations: what a run must show, in a small language of names, functions, units and comparisons.
//!
//! ```text
//! served   = "client.http.ok >= 195"
//! latency  = "p99(client.http.time) < 900ms"
//! buffer   = "always queue(r1--r2) <= 64kb"
//! recovers = "first(client.http.ok, after = 19s) < 22s"
//! ```

pub(crate) mod eval;
pub(crate) mod expr;
pub(crate) mod function;
pub(crate) mod gauges;
mod lexer;
pub(crate) mod metric;
pub(crate) mod parser;
pub(crate) mod ports;
pub(crate) mod readings;
pub(crate) mod window;

#[cfg(test)]
mod tests;
