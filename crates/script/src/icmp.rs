//! The names of ICMP messages, for both versions.

use crate::syntax::{Echoed, IcmpSpec};

/// A name, the codes that have one, and whether the message reports an error.
struct Kind {
    name: &'static str,
    number: u8,
    codes: &'static [(&'static str, u8)],
}

const FOUR: &[Kind] = &[
    Kind { name: "echo_reply", number: 0, codes: &[] },
    Kind {
        name: "unreachable",
        number: 3,
        codes: &[
            ("net_unreachable", 0),
            ("host_unreachable", 1),
            ("protocol_unreachable", 2),
            ("port_unreachable", 3),
            ("frag_needed", 4),
            ("source_route_failed", 5),
            ("net_unknown", 6),
            ("host_unknown", 7),
            ("source_host_isolated", 8),
            ("net_prohibited", 9),
            ("host_prohibited", 10),
            ("net_unreachable_tos", 11),
            ("host_unreachable_tos", 12),
            ("communication_prohibited", 13),
            ("host_precedence_violation", 14),
            ("precedence_cutoff_in_effect", 15),
        ],
    },
    Kind { name: "source_quench", number: 4, codes: &[] },
    Kind { name: "echo_request", number: 8, codes: &[] },
    Kind { name: "time_exceeded", number: 11, codes: &[("ttl_exceeded", 0), ("reassembly_time_exceeded", 1)] },
    Kind { name: "parameter_problem", number: 12, codes: &[] },
];

const SIX: &[Kind] = &[
    Kind {
        name: "unreachable",
        number: 1,
        codes: &[
            ("no_route", 0),
            ("admin_prohibited", 1),
            ("not_neighbour", 2),
            ("address_unreachable", 3),
            ("port_unreachable", 4),
        ],
    },
    Kind { name: "packet_too_big", number: 2, codes: &[] },
    Kind { name: "time_exceeded", number: 3, codes: &[("ttl_exceeded", 0), ("reassembly_time_exceeded", 1)] },
    Kind { name: "parameter_problem", number: 4, codes: &[] },
    Kind { name: "echo_request", number: 128, codes: &[] },
    Kind { name: "echo_reply", number: 129, codes: &[] },
];

fn kinds(is_four: bool) -> &'static [Kind] {
    if is_four { FOUR } else { SIX }
}

/// Type, code and the four octets after the checksum.
pub(crate) fn encode(spec: &IcmpSpec, is_four: bool) -> Result<(u8, u8, u32), String> {
    let kind = kinds(is_four).iter().find(|k| k.name == spec.kind);
    let kind = kind.ok_or_else(|| format!("there is no ICMP message `{}` here", spec.kind))?;
    let code = match &spec.code {
        None => 0,
        Some(name) => {
            let known = kind.codes.iter().find(|(n, _)| n == name);
            known.ok_or_else(|| format!("ICMP {} has no code `{name}`", kind.name))?.1
        }
    };
    let rest = spec.mtu.unwrap_or_else(|| u32::from(spec.id.unwrap_or(0)) << 16);
    Ok((kind.number, code, rest))
}

/// The message by its names, or by its numbers where it has none.
pub(crate) fn decode(number: u8, code: u8, rest: u32, is_four: bool) -> IcmpSpec {
    let kind = kinds(is_four).iter().find(|k| k.number == number);
    let name = kind.map_or_else(|| format!("type_{number}"), |k| k.name.to_owned());
    let named = kind.and_then(|k| k.codes.iter().find(|(_, n)| *n == code)).map(|(name, _)| (*name).to_owned());
    let code = named.or_else(|| (code != 0).then(|| format!("code_{code}")));
    let is_error = is_error(number, is_four);
    IcmpSpec {
        kind: name,
        code,
        mtu: (is_error && rest != 0).then_some(rest),
        id: (!is_error).then_some((rest >> 16) as u16),
        echoed: Echoed::Unsaid,
    }
}

/// Whether a message of this type quotes the packet that it is about.
pub(crate) fn is_error(number: u8, is_four: bool) -> bool {
    if is_four { matches!(number, 3 | 4 | 11 | 12) } else { number < 128 }
}
