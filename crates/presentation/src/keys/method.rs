//! The ways in which a text is kept from others.

/// How a text is kept from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// The sender makes a key, hands it over and seals the text with it.
    Symmetric,
    /// The receiver hands over a public key, and the text is closed with it.
    Public,
    /// The receiver hands over a public key; a key is closed with it, and the text sealed with that one.
    Hybrid,
    /// Both agree on a key that is never sent; the receiver signs.
    Agreement,
}

/// A method in the table.
#[derive(Clone, Copy, Debug)]
pub struct MethodEntry {
    /// Its name on a command line.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// The method.
    pub method: Method,
}

/// Every method.
pub const METHODS: &[MethodEntry] = &[
    MethodEntry { name: "symmetric", summary: "one key for both, handed over first", method: Method::Symmetric },
    MethodEntry { name: "public", summary: "a public key closes, the private one opens", method: Method::Public },
    MethodEntry {
        name: "hybrid",
        summary: "the symmetric key travels under the public key, as in the first SSL",
        method: Method::Hybrid,
    },
    MethodEntry {
        name: "agreement",
        summary: "both agree on a key that is never sent, as in TLS 1.3",
        method: Method::Agreement,
    },
];
