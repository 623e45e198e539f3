//! Storey 6: certificates and TLS over any [`Net`](septet_socket::Net), character sets, compression, mail's parts, and what
//! data are.
//!
//! [`charset`] turns one character set into another, EBCDIC too, [`sniff`] tells what data are by their first octets,
//! [`compression`] makes them smaller, [`mime`] packs several into one message, [`ca`] is the lab's certificate authority,
//! [`keys`] what one does with keys without it, [`tls`] the record layer between a stream and the program above it.

pub mod ca;
pub mod charset;
pub mod compression;
pub mod keys;
pub mod mime;
pub mod sniff;
pub mod tls;
