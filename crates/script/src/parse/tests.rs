use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::syntax::{Body, Direction, Echoed, IcmpSpec, IpSpec, Packet, TcpOption, TcpSpec, Tos};

fn script(source: &str) -> Script {
    parse(source, &BTreeMap::new()).unwrap()
}

fn error(source: &str) -> String {
    parse(source, &BTreeMap::new()).unwrap_err().to_string()
}

#[test]
fn options_commands_calls_and_code() {
    let script = script(
        "--ip_version=ipv6 --define=A=1\n`sysctl -q net.ipv4.tcp_ecn=1`\n\
         0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n\
         +.1...0.2 connect(3, ..., ...) = -1 ETIMEDOUT (Connection timed out)\n\
         * sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 40}, {..., 2}], msg_flags=0}, MSG_MORE|MSG_EOR) = 40\n\
         1~2 %{ assert 1 }%\n",
    );
    assert_eq!(script.options[1].value.as_deref(), Some("A=1"));
    let [command, socket, connect, sendmsg, code] = &script.events[..] else { panic!("{script:?}") };
    assert_eq!(command.action, Action::Command("sysctl -q net.ipv4.tcp_ecn=1".into()));
    assert_eq!((socket.when, socket.at.line), (When::Absolute(Duration::ZERO), 3));
    let Action::Call(call) = &connect.action else { panic!("{connect:?}") };
    assert_eq!(call.until, Some(Duration::from_millis(200)));
    assert_eq!((&call.result, call.errno.as_deref()), (&Expr::Int(-1), Some("ETIMEDOUT")));
    let Action::Call(call) = &sendmsg.action else { panic!("{sendmsg:?}") };
    let Expr::Record(fields) = &call.arguments[1] else { panic!("{call:?}") };
    assert_eq!(fields[1].0, "msg_iov");
    assert_eq!(code.when, When::AbsoluteRange(Duration::from_secs(1), Duration::from_secs(2)));
}

#[test]
fn packets() {
    let script = script(
        "0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>\n\
         +0 > [ect0] P. 1:1001(1000) ack 1 <...>\n\
         +0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]\n\
         +0 < - 1:1(0) win 1\n\
         +0 > udp 5 > 6 (100)\n\
         +0 < 7 > 8 SEW 1:1(0) win 5 urg 9 <sack 1:2 3:4,TS val 4 ecr 5,FO 12ab>\n",
    );
    let packets: Vec<String> = script
        .events
        .iter()
        .map(|event| match &event.action {
            Action::Packet(packet) => packet.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        packets,
        [
            "< S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>",
            "> [ect0] P. 1:1001(1000) ack 1 <...>",
            "< icmp unreachable frag_needed mtu 1200 [1:1461(1460)]",
            "< - 1:1(0) win 1",
            "> udp 5 > 6 (100)",
            "< 7 > 8 SEW 1:1(0) win 5 urg 9 <sack 1:2 3:4,TS val 4 ecr 5,FO 12ab>",
        ]
    );
}

#[test]
fn errors_name_the_place_and_what_was_expected() {
    assert_eq!(error("0 < S 0:1(0)"), "1:7: the sequence numbers do not fit the payload's size");
    assert_eq!(error("0 < X 0:0(0)"), "1:5: `X` is no TCP flag");
    assert_eq!(error("0 read(4"), "1:9: `,` is expected, not the end of the script");
    assert_eq!(error("0 < . 0:0(0) ack 70000000000"), "1:18: the acknowledgement number out of range");
    assert_eq!(error("+1~+.5 < . 0:0(0)"), "1:1: the range ends before it begins");
    assert_eq!(error("0 > . 1:1(0) <..."), "1:18: `>` is expected, not the end of the script");
    assert_eq!(error(&format!("0 f({}1", "[".repeat(100_000))), "1:69: nested too deeply");
    assert_eq!(error("-1 close(3) = 0"), "1:1: a time that is negative or too large");
}

fn packet() -> impl Strategy<Value = Packet> {
    let option = prop_oneof![
        Just(TcpOption::Nop),
        any::<u16>().prop_map(TcpOption::Mss),
        any::<u8>().prop_map(TcpOption::WindowScale),
        proptest::collection::vec(any::<(u32, u32)>(), 0..3).prop_map(TcpOption::Sack),
        any::<(u32, u32)>().prop_map(|(val, ecr)| TcpOption::Timestamps { val, ecr }),
        proptest::collection::vec(any::<u8>(), 0..3).prop_map(TcpOption::FastOpen),
    ];
    let options = proptest::option::of(proptest::collection::vec(option, 0..2));
    let tcp = (0u16..0x200, any::<(u32, u16, u32)>(), any::<Option<u16>>(), any::<u16>(), options).prop_map(
        |(flags, (seq, len, ack), window, urgent, options)| {
            let ack = if flags & crate::wire::flags::ACK == 0 { 0 } else { ack };
            Body::Tcp(TcpSpec { flags, seq, len, ack, window, urgent, options })
        },
    );
    let icmp =
        (any::<Option<u32>>(), any::<Option<u16>>(), any::<u32>(), any::<u16>()).prop_map(|(mtu, id, seq, len)| {
            let echoed = Echoed::Tcp { seq, len };
            Body::Icmp(IcmpSpec { kind: "unreachable".into(), code: Some("frag_needed".into()), mtu, id, echoed })
        });
    let body = prop_oneof![tcp, icmp, any::<u16>().prop_map(|len| Body::Udp { len })];
    let tos = prop_oneof![(0u8..4).prop_map(Tos::Ecn), Just(Tos::Ect01), any::<u8>().prop_map(Tos::Whole)];
    (tos, any::<Option<u8>>(), any::<Option<(u16, u16)>>(), body).prop_map(|(tos, ttl, ports, body)| {
        let ports = ports.filter(|_| !matches!(body, Body::Icmp(_)));
        Packet { direction: Direction::Outbound, ip: IpSpec { tos, ttl }, ports, body }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_shown_is_read_again(packet in packet()) {
        let script = script(&format!("0 {packet}"));
        prop_assert_eq!(&script.events[0].action, &Action::Packet(packet));
    }

    #[test]
    fn any_text_is_a_script_or_an_error(text in "[-+*~.:<>(){}\\[\\]a-zA-Z0-9\"`%/ \n=,|]{0,60}") {
        let _ = parse(&text, &BTreeMap::new());
    }
}
