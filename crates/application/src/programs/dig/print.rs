//! What dig 9.18 prints.

use std::io;
use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::TXT;
use septet_socket::NetRef;

use super::options::{Options, Question};
use crate::dns::{RData, Record, RecordType, Reply, code_name};

/// What stands at the head of the output: the command and how many servers are asked.
pub(super) fn banner(options: &Options, args: &[String], servers: usize) -> String {
    if options.short || !options.parts.cmd {
        return String::new();
    }
    let version = env!("CARGO_PKG_VERSION");
    let found = match (&options.server, servers) {
        (None, _) => String::new(),
        (Some(_), 1) => "; (1 server found)\n".to_owned(),
        (Some(_), n) => format!("; ({n} servers found)\n"),
    };
    format!("\n; <<>> DiG septet-{version} <<>> {}\n{found};; global options: +cmd\n", args.join(" "))
}

/// The whole output for one answer.
pub(super) fn reply(
    net: &NetRef,
    options: &Options,
    question: &Question,
    server: SocketAddr,
    reply: &Reply,
    banner: &str,
) -> String {
    let message = &reply.message;
    if options.short {
        return message.answers.iter().map(|r| format!("{}\n", data(&r.data))).collect();
    }
    let mut out = String::new();
    if reply.after_truncation && options.parts.comments {
        out.push_str(";; Truncated, retrying in TCP mode.\n");
    }
    out.push_str(banner);
    if matches!(question.kind, RecordType::AXFR | RecordType::IXFR) {
        if message.answers.is_empty() {
            out.push_str("; Transfer failed.\n");
            return out;
        }
        message.answers.iter().for_each(|r| record(&mut out, r));
        stats(&mut out, net, options, server, reply);
        return out;
    }
    if options.parts.comments {
        header(&mut out, message);
    }
    if options.parts.question && !message.queries.is_empty() {
        comment(&mut out, options, ";; QUESTION SECTION:\n");
        for query in &message.queries {
            let mut line = query.name().to_ascii();
            pad(&mut line, 32);
            line.push_str(&query.query_class().to_string());
            pad(&mut line, 40);
            out.push_str(&format!(";{line}{}\n", query.query_type()));
        }
        comment(&mut out, options, "\n");
    }
    for (shown, name, records) in [
        (options.parts.answer, "ANSWER", &message.answers),
        (options.parts.authority, "AUTHORITY", &message.authorities),
        (options.parts.additional, "ADDITIONAL", &message.additionals),
    ] {
        if shown && !records.is_empty() {
            comment(&mut out, options, &format!(";; {name} SECTION:\n"));
            records.iter().for_each(|r| record(&mut out, r));
            comment(&mut out, options, "\n");
        }
    }
    stats(&mut out, net, options, server, reply);
    out
}

/// The words dig has for an error of the network.
pub(super) fn io_error(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::UnexpectedEof => "end of file".to_owned(),
        _ => e.to_string(),
    }
}

fn comment(out: &mut String, options: &Options, text: &str) {
    if options.parts.comments {
        out.push_str(text);
    }
}

fn header(out: &mut String, message: &Message) {
    let meta = &message.metadata;
    let opcode = match meta.op_code {
        OpCode::Query => "QUERY",
        OpCode::Status => "STATUS",
        OpCode::Notify => "NOTIFY",
        OpCode::Update => "UPDATE",
        _ => "RESERVED",
    };
    let flags: String = [
        (true, " qr"),
        (meta.authoritative, " aa"),
        (meta.truncation, " tc"),
        (meta.recursion_desired, " rd"),
        (meta.recursion_available, " ra"),
        (meta.authentic_data, " ad"),
        (meta.checking_disabled, " cd"),
    ]
    .iter()
    .filter_map(|(set, name)| set.then_some(*name))
    .collect();
    out.push_str(&format!(
        ";; Got answer:\n;; ->>HEADER<<- opcode: {opcode}, status: {}, id: {}\n;; flags:{flags}; QUERY: {}, ANSWER: {}, \
         AUTHORITY: {}, ADDITIONAL: {}\n",
        code_name(meta.response_code),
        meta.id,
        message.queries.len(),
        message.answers.len(),
        message.authorities.len(),
        message.additionals.len() + usize::from(message.edns.is_some()),
    ));
    if meta.recursion_desired && !meta.recursion_available {
        out.push_str(";; WARNING: recursion requested but not available\n");
    }
    out.push('\n');
    if let Some(edns) = &message.edns {
        let flags = if edns.flags().dnssec_ok { " do" } else { "" };
        out.push_str(&format!(
            ";; OPT PSEUDOSECTION:\n; EDNS: version: {}, flags:{flags}; udp: {}\n",
            edns.version(),
            edns.max_payload()
        ));
    }
}

/// A record in the master file format, in dig's columns.
fn record(out: &mut String, record: &Record) {
    let mut line = record.name.to_ascii();
    for (column, text) in [
        (24, record.ttl.to_string()),
        (32, record.dns_class.to_string()),
        (40, record.record_type().to_string()),
        (48, data(&record.data)),
    ] {
        pad(&mut line, column);
        line.push_str(&text);
    }
    out.push_str(&line);
    out.push('\n');
}

/// Fills up to `column` with tabs; what is there already gets one blank.
fn pad(line: &mut String, column: usize) {
    let mut width = line.chars().fold(0, |w, c| if c == '\t' { w / 8 * 8 + 8 } else { w + 1 });
    if width >= column {
        line.push(' ');
    }
    while width < column {
        line.push('\t');
        width = width / 8 * 8 + 8;
    }
}

/// The data of a record; strings in quotation marks, with RFC 1035 §5.1's escapes.
fn data(data: &RData) -> String {
    let RData::TXT(TXT { txt_data, .. }) = data else { return data.to_string() };
    let quote = |s: &[u8]| {
        let mut text = String::from("\"");
        for &b in s {
            match b {
                b'"' | b'\\' => text.extend(['\\', b.into()]),
                b' '..=b'~' => text.push(b.into()),
                other => text.push_str(&format!("\\{other:03}")),
            }
        }
        text + "\""
    };
    txt_data.iter().map(|s| quote(s)).collect::<Vec<_>>().join(" ")
}

fn stats(out: &mut String, net: &NetRef, options: &Options, server: SocketAddr, reply: &Reply) {
    if !options.parts.stats {
        return;
    }
    out.push_str(&format!(";; Query time: {} msec\n", reply.took.as_millis()));
    let ip = server.ip();
    out.push_str(&format!(";; SERVER: {ip}#{}({ip}) ({})\n", server.port(), reply.over));
    out.push_str(&format!(";; WHEN: {}\n", when(net)));
    if reply.messages > 1 || reply.message.queries.first().is_some_and(|q| q.query_type() == RecordType::AXFR) {
        let (records, messages, bytes) = (reply.message.answers.len(), reply.messages, reply.bytes);
        out.push_str(&format!(";; XFR size: {records} records (messages {messages}, bytes {bytes})\n\n"));
    } else {
        out.push_str(&format!(";; MSG SIZE  rcvd: {}\n\n", reply.bytes));
    }
}

/// `Tue Nov 24 07:29:53 UTC 2026`.
fn when(net: &NetRef) -> String {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + net.unix_time());
    // `Tue, 24 Nov 2026 07:29:53 GMT`
    match date.split([' ', ',']).filter(|w| !w.is_empty()).collect::<Vec<_>>()[..] {
        [weekday, day, month, year, time, _] => format!("{weekday} {month} {day} {time} UTC {year}"),
        _ => date,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hickory_proto::rr::Name;
    use hickory_proto::rr::rdata::A;

    use super::*;

    #[test]
    fn columns_as_dig_sets_them() {
        let line = |name: &str| {
            let mut out = String::new();
            record(
                &mut out,
                &Record::from_rdata(Name::from_ascii(name).unwrap(), 3600, RData::A(A(Ipv4Addr::new(10, 0, 3, 2)))),
            );
            out
        };
        assert_eq!(line("www.shop.test."), "www.shop.test.\t\t3600\tIN\tA\t10.0.3.2\n");
        assert_eq!(line("_http._tcp.shop.test."), "_http._tcp.shop.test.\t3600\tIN\tA\t10.0.3.2\n");
        let long = "a-very-long-name-of-a-host-in-the-zone.shop.test.";
        assert_eq!(line(long), format!("{long} 3600 IN A 10.0.3.2\n"));
        let mut question = "x.test.".to_owned();
        pad(&mut question, 32);
        assert_eq!(question, "x.test.\t\t\t\t");
        assert_eq!(data(&RData::TXT(TXT::new(vec!["a b\"c".into(), "d".into()]))), "\"a b\\\"c\" \"d\"");
    }
}
