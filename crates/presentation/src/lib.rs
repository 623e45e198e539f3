//! Storey 6: certificates and TLS over any [`Net`](septet_socket::Net), character sets, and what data are.
//!
//! [`charset`] turns EBCDIC into Unicode and back, [`sniff`] tells what data are by their first octets, [`ca`] is the lab's
//! certificate authority, [`tls`] the record layer between a stream and the program above it.

pub mod ca;
pub mod charset;
pub mod sniff;
pub mod tls;
