//! The chain through packet filters: so many rules are asked of each packet at each router before one lets it pass.

use std::sync::Arc;

use septet_network::conntrack::State;
use septet_network::filter::{Condition, End, Hook, Kind, Sense};
use septet_network::firewall::Config;
use septet_network::firewall::rule::{Action, Chain, Policy, Rule, Ruleset, Step, Test};

use crate::{Failure, Options, Report, chain};

/// Whether connections are tracked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracks {
    /// No rule asks for them.
    Nothing,
    /// Behind all others a rule lets pass what belongs to one that is known, or begins one.
    Connections,
}

pub(crate) fn run(options: &Options, number: u16, tracks: Tracks) -> Result<Report, Failure> {
    chain::filtered(options, &rules(number, tracks))
}

/// `udp dport 1000 accept`, `udp dport 1001 accept` and so on, and what lets the packets of the chain pass.
pub(crate) fn rules(number: u16, tracks: Tracks) -> Arc<Config> {
    let rule = |steps: Vec<Step>| Rule { text: String::new(), listed: String::new(), steps };
    let ports = |port: u16| Test::is(Condition::Port(End::Destination, vec![port..=port]));
    let udp = || Test::is(Condition::Kind(vec![Kind::UDP]));
    let accept = || Step::Do(Action::Accept);
    let mut all: Vec<Rule> =
        (1..number).map(|n| rule(vec![Step::Match(udp()), Step::Match(ports(999 + n)), accept()])).collect();
    all.push(match tracks {
        Tracks::Nothing => rule(vec![Step::Match(udp()), Step::Match(ports(9)), accept()]),
        Tracks::Connections => {
            let states = vec![State::New, State::Established];
            rule(vec![Step::Match(Test::State(states, Sense::Is)), accept()])
        }
    });
    let chain = Chain { name: "forward".to_owned(), policy: Policy::Drop, rules: all };
    let rules = Ruleset { chains: vec![chain], base: vec![(Hook::Forward, 0)], ..Ruleset::default() };
    Arc::new(Config { rules, ..Config::default() })
}
