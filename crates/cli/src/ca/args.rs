//! The command line of `septet ca`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use septet_presentation::ca::{KeyKind, REASONS};

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Found an authority in a directory of its own: a root, and an intermediate that signs
    Init(InitArgs),
    /// Make a key and a certificate for it
    Issue(IssueArgs),
    /// Make a key and a request for a certificate, which some authority is to sign
    Request(RequestArgs),
    /// Sign a request for a certificate (PKCS #10, PEM)
    Sign(SignArgs),
    /// Take a certificate back; `septet ca crl` tells it to others
    Revoke(RevokeArgs),
    /// Sign the list of what was revoked
    Crl(CrlArgs),
    /// Say what an authority issued, or what is in a certificate, a request or a list
    Show {
        /// The authority's directory, or a PEM file
        #[arg(value_name = "DIR|FILE")]
        what: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The directory; it must not be there yet, or be empty
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// What it is called; its certificates are NAME Root CA and NAME Intermediate CA
    #[arg(long, value_name = "NAME", default_value = "Septet")]
    pub(super) name: String,
    /// How long the root holds, in days; the intermediate holds half as long
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = clap::value_parser!(u32).range(2..=36_500))]
    pub(super) days: u32,
    /// The kind of its keys
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::P256)]
    pub(super) key: Kind,
    /// Let it sign for this domain and what is below it, or this IP address, and for nothing else (repeat)
    #[arg(long, value_name = "NAME")]
    pub(super) permit: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct IssueArgs {
    /// The authority's directory
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// Whom it is for: DNS names, a leading `*.` too, and IP addresses
    #[arg(required = true, value_name = "NAME")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) kind: LeafArgs,
    /// The kind of its key
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::P256)]
    pub(super) key: Kind,
    /// Write STEM.pem and STEM.key, instead of DIR/issued/NAME.pem and DIR/issued/NAME.key
    #[arg(short, long, value_name = "STEM")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// Whom it is for: DNS names, a leading `*.` too, and IP addresses
    #[arg(required = true, value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// The kind of its key
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::P256)]
    pub(super) key: Kind,
    /// Write STEM.csr and STEM.key, instead of by the first name
    #[arg(short, long, value_name = "STEM")]
    pub(super) output: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The authority's directory
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// The request, as `openssl req -new` or `septet ca request` writes it
    #[arg(value_name = "CSR")]
    pub(super) request: PathBuf,
    /// Sign only if all names that it asks for are one of these or below (repeat)
    #[arg(long, value_name = "NAME")]
    pub(super) allow: Vec<String>,
    #[command(flatten)]
    pub(super) kind: LeafArgs,
    /// Write the certificate here, instead of DIR/issued/NAME.pem
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// What is said of a certificate that is to be signed.
#[derive(Debug, Args)]
pub(crate) struct LeafArgs {
    /// It is for clients, and for servers only with --server beside this
    #[arg(long)]
    pub(super) client: bool,
    /// It is for servers, as it is anyway without --client
    #[arg(long)]
    pub(super) server: bool,
    /// How long it holds, in days
    #[arg(long, value_name = "N", default_value_t = 397, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(super) days: u32,
    /// Replace files that are there
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The authority's directory
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// The certificate's file, or its serial number in hexadecimal digits
    #[arg(value_name = "FILE|SERIAL")]
    pub(super) what: String,
    /// Why (RFC 5280 §5.3.1)
    #[arg(long, default_value = "unspecified", value_parser = REASONS.iter().map(|(name, _)| *name).collect::<Vec<_>>())]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct CrlArgs {
    /// The authority's directory
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// In how many days the next list is due
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(super) days: u32,
    /// Write it here too, beside DIR/crl.pem
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// The kinds of keys.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    P256,
    P384,
    Ed25519,
}

impl From<Kind> for KeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::P256 => Self::P256,
            Kind::P384 => Self::P384,
            Kind::Ed25519 => Self::Ed25519,
        }
    }
}
