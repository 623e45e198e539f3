//! How a server tells others that a zone has changed (RFC 1996).

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, Record, RecordType};
use septet_core::Storey;
use septet_socket::{NetExt, NetRef};

use super::served::Served;
use crate::task;

/// RFC 1996 §3.6 has the sender repeat it "until either too many copies have been sent …, an ICMP message is received …, or
/// until the slave server responds"; 60 seconds and five times are its own proposal, and BIND's fifteen reach a server that
/// just restarts.
const PATIENCE: Duration = Duration::from_secs(15);
const TRIES: u32 = 5;

/// Tells those at `whom` whenever a zone has another serial than before, and at the beginning.
pub(super) async fn tell_all(net: NetRef, served: Served, whom: Vec<SocketAddr>) {
    let mut told: BTreeMap<Name, u32> = BTreeMap::new();
    // Those that are told still, by whom and of what: a newer change ends it.
    let mut telling: BTreeMap<(SocketAddr, Name), task::Owned> = BTreeMap::new();
    loop {
        let changed = served.changed();
        let now = net.now();
        for (origin, soa, serial) in served.serials(now) {
            if told.insert(origin.clone(), serial) == Some(serial) {
                continue;
            }
            for to in &whom {
                let own = net.clone();
                let (soa, origin, to) = (soa.clone(), origin.clone(), *to);
                let key = (to, origin.clone());
                let one = async move {
                    let outcome = tell(&own, to, &origin, soa).await;
                    own.trace(Storey::Application, "dns.notify", |f| {
                        f.set("to", to).set("zone", origin.to_ascii()).set("serial", serial);
                        if let Err(error) = outcome {
                            f.set("why", error.to_string());
                        }
                    });
                };
                telling.insert(key, task::spawn(&net, Box::pin(one)));
            }
        }
        match served.next_version(now) {
            Some(at) => {
                let _ = net.timeout(at.saturating_since(now), changed).await;
            }
            None => changed.await,
        }
    }
}

async fn tell(net: &NetRef, to: SocketAddr, origin: &Name, soa: Record) -> io::Result<()> {
    let id = net.random_u64() as u16;
    let mut message = Message::new(id, MessageType::Query, OpCode::Notify);
    // §3.7: "A NOTIFY request has QDCOUNT>0, … AA"; the new SOA is a hint.
    message.metadata.authoritative = true;
    message.add_query(Query::query(origin.clone(), RecordType::SOA));
    message.add_answer(soa);
    let bytes = message.to_vec().map_err(io::Error::other)?;
    let socket = net.open_udp(to.ip())?;
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..TRIES {
        let answer = async {
            socket.send_to(&bytes, to).await?;
            let mut buf = [0; 512];
            loop {
                let datagram = socket.receive(&mut buf).await?;
                let Ok(answer) = Message::from_vec(&buf[..datagram.len.min(buf.len())]) else { continue };
                let is_answer = answer.metadata.message_type == MessageType::Response;
                if is_answer && answer.metadata.id == id && datagram.from == to {
                    return io::Result::Ok(());
                }
            }
        };
        match net.timeout(PATIENCE, answer).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => {
                last = error;
                net.sleep(PATIENCE).await;
            }
            Err(elapsed) => last = elapsed.into(),
        }
    }
    Err(last)
}
