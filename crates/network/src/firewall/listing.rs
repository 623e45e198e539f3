//! What a firewall is and has counted, as `nft list ruleset` prints it.

use std::fmt::Write;

use septet_wire::protocol;

use super::rule::{Chain, Policy, Rule};
use super::{Count, Firewall};
use crate::filter::Hook;

/// Stands in the text of a rule where `counter` shows what it counted.
pub const COUNTED: char = '\u{0}';

impl Firewall {
    /// All tables: the rules, then what translates addresses. Interfaces are called as they are in `ip link`.
    pub fn listing(&self) -> String {
        let rules = &self.config.rules;
        let translating: Vec<usize> = rules.nat.iter().map(|(_, chain)| *chain).collect();
        let mut filter = String::new();
        for (name, count) in rules.counters.iter().zip(&self.named) {
            blank_before(&mut filter);
            let Count { packets, bytes } = count;
            let _ = write!(filter, "\tcounter {name} {{\n\t\tpackets {packets} bytes {bytes}\n\t}}\n");
        }
        for (number, chain) in rules.chains.iter().enumerate().filter(|(number, _)| !translating.contains(number)) {
            let hook = rules.base.iter().find(|(_, base)| *base == number).map(|(hook, _)| *hook);
            let head =
                hook.map(|hook| format!("type filter hook {hook} priority filter; policy {};", word(chain.policy)));
            blank_before(&mut filter);
            self.chain(&mut filter, number, chain, head);
        }
        let mut nat = String::new();
        for (hook, number) in &rules.nat {
            blank_before(&mut nat);
            self.chain(&mut nat, *number, &rules.chains[*number], Some(translates(*hook)));
        }
        self.by_key(&mut nat);
        let tables = [("filter", filter), ("nat", nat)].into_iter().filter(|(_, body)| !body.is_empty());
        tables.map(|(name, body)| format!("table inet {name} {{\n{body}}}\n")).collect()
    }

    fn chain(&self, text: &mut String, number: usize, chain: &Chain, head: Option<String>) {
        let _ = writeln!(text, "\tchain {} {{", chain.name);
        if let Some(head) = head {
            let _ = writeln!(text, "\t\t{head}");
        }
        for (rule, count) in chain.rules.iter().zip(&self.counts[number]) {
            let _ = writeln!(text, "\t\t{}", listed(rule, *count));
        }
        text.push_str("\t}\n");
    }

    /// What the key `nat` of a lab file means, in rules.
    fn by_key(&self, text: &mut String) {
        let Some(nat) = &self.config.nat else { return };
        let outside: Vec<String> = nat.outside.iter().map(|iface| format!("\"eth{iface}\"")).collect();
        let outside = if let [one] = &outside[..] { one.clone() } else { format!("{{ {} }}", outside.join(", ")) };
        if !nat.forwards.is_empty() {
            blank_before(text);
            let _ = writeln!(text, "\tchain forwards {{\n\t\t{}", translates(Hook::Prerouting));
            for forward in &nat.forwards {
                let transport = if forward.protocol == protocol::UDP { "udp" } else { "tcp" };
                let (first, last) = (forward.ports.start(), forward.ports.end());
                let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
                let (family, to) = match forward.to {
                    std::net::IpAddr::V4(to) => ("ip", to.to_string()),
                    std::net::IpAddr::V6(to) => ("ip6", format!("[{to}]")),
                };
                let ends = if first == last {
                    forward.port.to_string()
                } else {
                    format!("{}-{}", forward.port, forward.port.saturating_add(last - first))
                };
                let _ = writeln!(text, "\t\tiifname {outside} {transport} dport {ports} dnat {family} to {to}:{ends}");
            }
            text.push_str("\t}\n");
        }
        blank_before(text);
        let head = translates(Hook::Postrouting);
        let _ = write!(text, "\tchain masquerade {{\n\t\t{head}\n\t\toifname {outside} masquerade\n\t}}\n");
    }
}

/// Between two things of a table is a blank line.
fn blank_before(text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
}

const fn word(policy: Policy) -> &'static str {
    match policy {
        Policy::Accept => "accept",
        Policy::Drop => "drop",
    }
}

/// The head of a chain that translates addresses: where a destination does, before the rules; where a source does, after.
fn translates(hook: Hook) -> String {
    let priority = match hook {
        Hook::Prerouting => "dstnat",
        Hook::Output => "-100",
        Hook::Input | Hook::Forward | Hook::Postrouting => "srcnat",
    };
    format!("type nat hook {hook} priority {priority}; policy accept;")
}

fn listed(rule: &Rule, count: Count) -> String {
    rule.listed.replace(COUNTED, &format!(" packets {} bytes {}", count.packets, count.bytes))
}
