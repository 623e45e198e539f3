//! What a relay does to messages (RFC 1542 §4, RFC 2131): no sockets.

use std::net::Ipv4Addr;

use septet_wire::dhcp::{Message, Op};

use super::lease::{Dest, destination};

/// RFC 1542 §4.1.1: "The relay agent MUST silently discard BOOTREQUEST messages whose 'hops' field exceeds the value 16".
const MOST_HOPS: u8 = 16;

/// A client's message, as it goes on to servers. `own` is the relay's address on the client's link.
pub fn to_server(message: &Message, own: Ipv4Addr) -> Option<Message> {
    if message.op != Op::Request || message.hops >= MOST_HOPS || own.is_unspecified() {
        return None;
    }
    // §4.1.1: "If the relay agent does decide to relay the request, it MUST examine the 'giaddr' … field. If this field is
    // zero, the relay agent MUST fill this field with the IP address of the interface on which the request was received".
    let giaddr = if message.giaddr.is_unspecified() { own } else { message.giaddr };
    Some(Message { hops: message.hops + 1, giaddr, ..message.clone() })
}

/// A server's message, and whom on the link of the relay's address `giaddr` it is for.
pub fn to_client(message: &Message) -> Option<(Dest, Message)> {
    if message.op != Op::Reply || message.giaddr.is_unspecified() {
        return None;
    }
    // §4.1.2: the field stays as it is; who is meant is told by the others.
    Some((destination(&Message { giaddr: Ipv4Addr::UNSPECIFIED, ..message.clone() }), message.clone()))
}
