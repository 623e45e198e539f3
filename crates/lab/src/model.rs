//! What a lab is made of: nodes and their ports, links, media, addresses, and the commands that nodes run.

pub(crate) mod address;
pub(crate) mod cable;
pub(crate) mod command;
pub(crate) mod files;
pub(crate) mod firewall;
pub(crate) mod layout;
pub(crate) mod link;
pub(crate) mod link_text;
pub(crate) mod medium;
pub(crate) mod multicast;
pub(crate) mod node;
pub(crate) mod switch;
pub(crate) mod topology;
pub(crate) mod versions;
pub(crate) mod whereabouts;
