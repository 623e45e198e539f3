//! What stands above IP in a host: the table of protocols. A new one is a file here, its line in [`UPPERS`], and a field of
//! `Storeys` where it keeps something.

mod icmp;
mod tcp;
mod udp;

use super::storeys::Upper;

/// All of them, the busiest first.
pub(crate) static UPPERS: &[Upper] = &[tcp::UPPER, udp::UPPER, icmp::UPPER, icmp::UPPER_V6];
