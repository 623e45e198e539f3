//! DHCP's server and client take any messages, while time passes.

use core::time::Duration;
use std::net::Ipv4Addr;

use septet_application::dhcp::lease::{Found, Output, Pool, Server, Via};
use septet_application::dhcp::machine::{Identity, Machine, Output as Wish, State};
use septet_core::Instant;
use septet_wire::dhcp::Message;
use septet_wire::ethernet::MacAddr;

use crate::pieces::pieces;

/// Addresses that the server gives.
const GIVEN: u8 = 4;
const VIA: Via = Via { iface: 0, address: Ipv4Addr::new(10, 0, 0, 1) };

/// Messages against a server with few addresses, and against a client.
pub fn dhcp(bytes: &[u8]) {
    let mut server = Server::new(vec![Pool {
        subnet: "10.0.0.0/24".parse().expect("a prefix"),
        ranges: vec![(Ipv4Addr::new(10, 0, 0, 100), Ipv4Addr::new(10, 0, 0, 99 + GIVEN))],
        reserved: Vec::new(),
        routers: vec![VIA.address],
        name_servers: Vec::new(),
        domain: None,
        lease: Duration::from_secs(3600),
        renew: None,
        rebind: None,
    }]);
    let identity = Identity { mac: MacAddr::local(1), host_name: "h".to_owned() };
    let mut now = Instant::from_secs(1);
    let mut client = Machine::new(identity, None, now, 1);
    // What the client said last: answers take its transaction number from there.
    let mut asked: Option<Message> = None;
    for piece in pieces(bytes) {
        now += Duration::from_secs(u64::from(piece.wait).pow(2));
        let mut message = whole(piece.content);
        match piece.what % 6 {
            0 => message = piece.content.to_vec(),
            1 => message[0] = 1,
            2 => {
                message[0] = 2;
                if let Some(asked) = &asked {
                    message[4..8].copy_from_slice(&asked.xid.to_be_bytes());
                    message[28..34].copy_from_slice(&asked.chaddr.0);
                }
            }
            3 => client.declined(now),
            4 => client.link_is_back(now),
            _ => {
                client.release(now);
                client.renew(now);
            }
        }
        if let Ok(message) = Message::parse(&message) {
            assert_eq!(Message::parse(&message.to_bytes()).as_ref(), Ok(&message), "written and read again");
            client.receive(now, &message);
            server.receive(now, VIA, &message);
        }
        let mut steps = 0;
        while client.deadline().is_some_and(|at| at <= now) && steps < 100 {
            client.on_deadline(now);
            steps += 1;
        }
        assert!(steps < 100, "the client's timers do not come to rest");
        while let Some(wish) = client.poll() {
            match wish {
                Wish::Send(_, message) => {
                    server.receive(now, VIA, &message);
                    asked = Some(message);
                }
                Wish::Use(_) if piece.what & 0x80 == 0 => client.used(now),
                Wish::Use(_) => client.declined(now),
                Wish::Prolong(_) | Wish::Drop(..) => {}
            }
        }
        steps = 0;
        while let Some(output) = server.poll() {
            match output {
                Output::Send(_, message) => client.receive(now, &message),
                Output::Check(address, question) => {
                    let found = if piece.what & 0x40 == 0 { Found::Nobody } else { Found::Somebody };
                    server.checked(now, VIA, address, &question, found);
                }
                Output::Told(_) | Output::Name(..) => {}
            }
            steps += 1;
            assert!(steps < 100, "one message makes no storm");
        }
        assert!(server.leased(now) <= usize::from(GIVEN), "more leases than addresses");
        assert!(!matches!(client.state(), State::Bound(lease) if lease.renew_at > lease.ends_at));
    }
}

/// A message with these options: what stands before them comes from the content too, as far as it may be anything.
fn whole(content: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 236];
    (message[1], message[2]) = (1, 6);
    let (fixed, options) = content.split_at(content.len().min(8));
    for (at, octet) in [4, 15, 19, 27, 33, 10, 3, 9].into_iter().zip(fixed) {
        message[at] = *octet;
    }
    // Addresses of the pool's link, where any is given.
    for at in [12, 16, 24] {
        if message[at + 3] != 0 {
            message[at] = 10;
        }
    }
    message.extend_from_slice(&[99, 130, 83, 99]);
    message.extend_from_slice(options);
    message
}
