//! MIME (RFC 2045 to 2049): messages of many parts, each with its type, its coding and its name.
//!
//! [`read`] takes a message apart, nested parts too, within [`Limits`], and says where something is wrong; [`Message::write`]
//! puts one together, the same octets each time. Fields come and go as text: encoded words (RFC 2047) and parameters in
//! other character sets (RFC 2231) are mail-parser's and mail-builder's.
//!
//! ```
//! use septet_presentation::charset::Charset;
//! use septet_presentation::mime::{self, Limits, Mailbox, Message, Part};
//! let message = Message {
//!     from: Mailbox::new("김철수", "kim@seoul.test"),
//!     to: vec![Mailbox::new("", "anna@berlin.test")],
//!     subject: "보고서".to_owned(),
//!     date: 1_700_000_000,
//!     id: "1@seoul.test".to_owned(),
//!     boundary: "report".to_owned(),
//!     body: Part::Multipart {
//!         subtype: "mixed".to_owned(),
//!         parts: vec![
//!             Part::Text { subtype: "plain".to_owned(), charset: Charset::UTF_8, text: "안녕하세요".to_owned() },
//!             Part::Octets { kind: "image/gif".to_owned(), name: "그림.gif".to_owned(), octets: b"GIF89a".to_vec() },
//!         ],
//!     },
//! };
//! let entity = mime::read(&message.write().unwrap(), &Limits::default()).unwrap();
//! assert_eq!(entity.field("subject"), Some("보고서"));
//! assert_eq!(entity.parts()[0].text().unwrap(), "안녕하세요");
//! assert_eq!(entity.parts()[1].name(), Some("그림.gif"));
//! ```

mod fault;
mod part;
mod read;
mod transfer;
mod write;

pub use fault::Fault;
pub use part::{Content, Entity};
pub use read::{Limits, read};
pub use write::{Mailbox, Message, Part, Unwritable};

#[cfg(test)]
mod tests;
