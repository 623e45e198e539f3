//! Storey 6: certificates and TLS over any [`Net`](septet_socket::Net).
//!
//! [`ca`] is the lab's certificate authority, [`tls`] the record layer between a stream and the program above it.

pub mod ca;
pub mod tls;
