//! Packet filters and address translation of hosts and routers, as a lab file writes them: in the words of nftables.

mod context;
mod field;
mod lex;
mod listed;
pub(crate) mod nat;
mod rule;
mod values;

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use septet_language::document::Text;
use septet_language::mistake::{Mistake, Mistakes};
use septet_language::schema::{
    AtLeast, Choice, Count, Either, Key, Named, OneOf, Phrase, Section, Table, TableOf, Texts,
};
use septet_language::words::{Word, Wrong};
use septet_network::conntrack::Timeouts;
use septet_network::filter::Hook;
use septet_network::firewall::rule::{Action, Chain, Policy, Ruleset, Step};
use septet_network::firewall::{Config, DEPTH};

use crate::firewall::context::Context;
use crate::model::firewall::FirewallSpec;
use crate::model::layout::Layout;
use crate::model::link::Link;
use crate::model::node::Node;
use crate::model::topology::Topology;

pub(crate) use nat::NAT;

/// The table of a packet filter.
pub(crate) static FIREWALL: Key<TableOf> =
    Key::new("firewall", TableOf(&TABLE), "its packet filter: chains of rules in the words of nftables");

static TABLE: Section = Section::new(
    "A packet filter: chains of rules in the words of nftables.",
    &[&[&POLICY, &PREROUTING, &INPUT, &FORWARD, &OUTPUT, &POSTROUTING, &CHAINS, &SETS, &CONNTRACK]],
);

const RULE: Texts<Text> = Texts(Phrase::later("a rule", "tcp dport { 22, 80 } accept"));

const POLICIES: Choice<Policy> = Choice(|| vec![("accept", Policy::Accept), ("drop", Policy::Drop)]);

static POLICY: Key<OneOf<Choice<Policy>, TableOf>> = Key::new(
    "policy",
    OneOf(POLICIES, TableOf(&POLICY_OF)),
    "what becomes of packets on which no rule decides: `accept` or `drop`, for `input` and `forward`, or a table by chain (accept)",
);
static POLICY_OF: Section = Section::new(
    "What becomes of packets on which no rule decides, by chain.",
    &[&[&OF_PREROUTING, &OF_INPUT, &OF_FORWARD, &OF_OUTPUT, &OF_POSTROUTING]],
);
static OF_PREROUTING: Key<Choice<Policy>> = Key::new("prerouting", POLICIES, "of what comes in (accept)");
static OF_INPUT: Key<Choice<Policy>> = Key::new("input", POLICIES, "of what is for the node itself (accept)");
static OF_FORWARD: Key<Choice<Policy>> = Key::new("forward", POLICIES, "of what is passed on (accept)");
static OF_OUTPUT: Key<Choice<Policy>> = Key::new("output", POLICIES, "of what the node itself sends (accept)");
static OF_POSTROUTING: Key<Choice<Policy>> = Key::new("postrouting", POLICIES, "of what leaves (accept)");

static PREROUTING: Key<Texts<Text>> = Key::new(
    "prerouting",
    RULE,
    "rules for what comes in, before it is known where it goes; `dnat` and `redirect` too",
);
static INPUT: Key<Texts<Text>> = Key::new("input", RULE, "rules for what is for the node itself");
static FORWARD: Key<Texts<Text>> = Key::new("forward", RULE, "rules for what is passed on");
static OUTPUT: Key<Texts<Text>> = Key::new("output", RULE, "rules for what the node itself sends");
static POSTROUTING: Key<Texts<Text>> =
    Key::new("postrouting", RULE, "rules for what is about to leave; `masquerade` and `snat` too");
static CHAINS: Key<Named<Texts<Text>>> =
    Key::new("chains", Named("chain", RULE), "chains of one's own, for `jump` and `goto`, by name");
static SETS: Key<Named<Phrase<Text>>> = Key::new(
    "sets",
    Named("set", Phrase::later("a set", "{ 10.0.1.0/24, laptop }")),
    "values for several rules, by name: `ip saddr @admins`",
);

static CONNTRACK: Key<TableOf> = Key::new("conntrack", TableOf(&TRACKING), "how connections are tracked");
static TRACKING: Section = Section::new(
    "How connections are tracked: Linux's `net.netfilter.nf_conntrack_*`.",
    &[&[
        &MOST,
        &UDP,
        &UDP_STREAM,
        &ICMP,
        &GENERIC,
        &TCP_SYN_SENT,
        &TCP_SYN_RECV,
        &TCP_ESTABLISHED,
        &TCP_FIN_WAIT,
        &TCP_CLOSE_WAIT,
        &TCP_LAST_ACK,
        &TCP_TIME_WAIT,
        &TCP_CLOSE,
        &TCP_MAX_RETRANS,
        &TCP_UNACKNOWLEDGED,
    ]],
);

const SPAN: AtLeast = AtLeast(Duration::from_secs(1));

static MOST: Key<Count<u32>> = Key::new("max", Count(1, 1 << 22), "the most that are remembered at once (65536)");
static UDP: Key<AtLeast> = Key::new("udp", SPAN, "how long UDP is remembered (30s)");
static UDP_STREAM: Key<AtLeast> =
    Key::new("udp_stream", SPAN, "how long UDP that went both ways for two seconds is (120s)");
static ICMP: Key<AtLeast> = Key::new("icmp", SPAN, "how long a ping is (30s)");
static GENERIC: Key<AtLeast> = Key::new("generic", SPAN, "how long other protocols are (600s)");
static TCP_SYN_SENT: Key<AtLeast> = Key::new("tcp_syn_sent", SPAN, "how long a SYN is that was not answered (120s)");
static TCP_SYN_RECV: Key<AtLeast> = Key::new("tcp_syn_recv", SPAN, "how long one is that was (60s)");
static TCP_ESTABLISHED: Key<AtLeast> = Key::new("tcp_established", SPAN, "how long an open connection is (432000s)");
static TCP_FIN_WAIT: Key<AtLeast> = Key::new("tcp_fin_wait", SPAN, "how long one is that one end has closed (120s)");
static TCP_CLOSE_WAIT: Key<AtLeast> = Key::new("tcp_close_wait", SPAN, "how long, when that was acknowledged (60s)");
static TCP_LAST_ACK: Key<AtLeast> = Key::new("tcp_last_ack", SPAN, "how long, when both ends have closed (30s)");
static TCP_TIME_WAIT: Key<AtLeast> = Key::new("tcp_time_wait", SPAN, "how long, when all is said (120s)");
static TCP_CLOSE: Key<AtLeast> = Key::new("tcp_close", SPAN, "how long after a reset (10s)");
static TCP_MAX_RETRANS: Key<AtLeast> =
    Key::new("tcp_max_retrans", SPAN, "the most, where one segment is sent again and again (300s)");
static TCP_UNACKNOWLEDGED: Key<AtLeast> =
    Key::new("tcp_unacknowledged", SPAN, "the most, where data is not acknowledged (300s)");

/// A hook, the key of its chain, and that of the chain's policy.
type ChainKeys = (Hook, &'static Key<Texts<Text>>, &'static Key<Choice<Policy>>);

const CHAIN_KEYS: [ChainKeys; 5] = [
    (Hook::Prerouting, &PREROUTING, &OF_PREROUTING),
    (Hook::Input, &INPUT, &OF_INPUT),
    (Hook::Forward, &FORWARD, &OF_FORWARD),
    (Hook::Output, &OUTPUT, &OF_OUTPUT),
    (Hook::Postrouting, &POSTROUTING, &OF_POSTROUTING),
];

/// What the table of a node says of its packet filter.
pub(crate) fn read(table: &Table) -> Option<FirewallSpec> {
    let table = table.get(&FIREWALL)?;
    let mut policies = BTreeMap::new();
    match table.get(&POLICY) {
        Some(Either::This(policy)) => policies.extend([Hook::Input, Hook::Forward].map(|hook| (hook, policy))),
        Some(Either::That(said)) => {
            policies.extend(CHAIN_KEYS.iter().filter_map(|(hook, _, key)| Some((*hook, said.get(key)?))));
        }
        None => {}
    }
    let rules = CHAIN_KEYS.iter().filter_map(|(hook, key, _)| Some((*hook, table.get(key)?))).collect();
    let tracking = table.get(&CONNTRACK).unwrap_or_default();
    Some(FirewallSpec {
        policies,
        rules,
        chains: table.get(&CHAINS).unwrap_or_default(),
        sets: table.get(&SETS).unwrap_or_default().into_iter().map(|(name, text)| (name.text, text)).collect(),
        timeouts: timeouts(&tracking),
        most: tracking.get(&MOST),
    })
}

fn timeouts(said: &Table) -> Timeouts {
    let mut timeouts = Timeouts::default();
    let fields: [(&Key<AtLeast>, &mut Duration); 14] = [
        (&UDP, &mut timeouts.udp),
        (&UDP_STREAM, &mut timeouts.udp_stream),
        (&ICMP, &mut timeouts.icmp),
        (&GENERIC, &mut timeouts.generic),
        (&TCP_SYN_SENT, &mut timeouts.tcp_syn_sent),
        (&TCP_SYN_RECV, &mut timeouts.tcp_syn_recv),
        (&TCP_ESTABLISHED, &mut timeouts.tcp_established),
        (&TCP_FIN_WAIT, &mut timeouts.tcp_fin_wait),
        (&TCP_CLOSE_WAIT, &mut timeouts.tcp_close_wait),
        (&TCP_LAST_ACK, &mut timeouts.tcp_last_ack),
        (&TCP_TIME_WAIT, &mut timeouts.tcp_time_wait),
        (&TCP_CLOSE, &mut timeouts.tcp_close),
        (&TCP_MAX_RETRANS, &mut timeouts.tcp_max_retrans),
        (&TCP_UNACKNOWLEDGED, &mut timeouts.tcp_unacknowledged),
    ];
    for (key, timeout) in fields {
        *timeout = said.get(key).unwrap_or(*timeout);
    }
    timeouts
}

/// Gives every node the packet filter that the file says it has.
pub(crate) fn fit(nodes: &mut [Node], links: &[Link], topology: &Topology, mistakes: &mut Mistakes) {
    for node in 0..nodes.len() {
        let lab = Layout { nodes, links, topology };
        let Some(stack) = nodes[node].spec.stack() else { continue };
        if stack.firewall.is_none() && stack.nat.is_none() {
            continue;
        }
        let spec = stack.firewall.clone().unwrap_or_default();
        let rules = rules(&spec, lab, node, mistakes);
        let nat = stack.nat.as_ref().and_then(|nat| nat::fit(nat, lab, node, mistakes));
        let mut config = Config { rules, nat, timeouts: spec.timeouts, ..Config::default() };
        config.connections = spec.most.map_or(config.connections, |most| most as usize);
        nodes[node].firewall = Some(Arc::new(config));
    }
}

/// Reads the rules of a node, chain by chain: those at the hooks, then those of the user's own.
fn rules(spec: &FirewallSpec, lab: Layout<'_>, node: usize, mistakes: &mut Mistakes) -> Ruleset {
    let mut rules = Ruleset::default();
    let first = rules_at_hooks(spec).count();
    let own: BTreeMap<String, usize> =
        spec.chains.iter().enumerate().map(|(number, (name, _))| (name.text.clone(), first + number)).collect();
    let mut leads = BTreeMap::new();
    for (hook, texts, policy) in rules_at_hooks(spec) {
        rules.base.push((hook, rules.chains.len()));
        rules.chains.push(Chain { name: hook.as_str().to_owned(), policy, rules: Vec::new() });
        let context = Context { lab, node, hook: Some(hook), chains: &own, sets: &spec.sets };
        fill(texts, &context, &mut rules, &mut leads, mistakes);
    }
    for (name, texts) in &spec.chains {
        rules.chains.push(Chain { name: name.text.clone(), policy: Policy::Accept, rules: Vec::new() });
        let context = Context { lab, node, hook: None, chains: &own, sets: &spec.sets };
        fill(texts, &context, &mut rules, &mut leads, mistakes);
    }
    circles(spec, first, &leads, mistakes);
    translations(&mut rules);
    rules
}

/// The chains that hang at hooks: those that have rules or a policy.
fn rules_at_hooks(spec: &FirewallSpec) -> impl Iterator<Item = (Hook, &[Text], Policy)> {
    Hook::ALL.into_iter().filter_map(|hook| {
        let texts = spec.rules.get(&hook);
        let policy = spec.policies.get(&hook).copied();
        (texts.is_some() || policy.is_some())
            .then(|| (hook, texts.map_or(&[][..], Vec::as_slice), policy.unwrap_or_default()))
    })
}

/// Reads the rules of the chain that was begun last.
fn fill(
    texts: &[Text],
    context: &Context<'_>,
    rules: &mut Ruleset,
    leads: &mut BTreeMap<usize, Vec<usize>>,
    mistakes: &mut Mistakes,
) {
    let chain = rules.chains.len() - 1;
    for text in texts {
        let whole = Word { text: &text.text, at: 0 }.trim();
        // As in a chain of nft's.
        if let Some(policy) = whole.text.strip_prefix("policy ") {
            match policy_of(Word { text: policy, at: whole.at + "policy ".len() }, context) {
                Ok(policy) => rules.chains[chain].policy = policy,
                Err(wrong) => mistakes.push(wrong.mistake(text)),
            }
            continue;
        }
        match rule::read(whole, context, &mut rules.counters) {
            Ok(read) => {
                leads.entry(chain).or_default().extend(read.leads);
                if !read.rule.steps.iter().any(|step| !matches!(step, Step::Match(_) | Step::Limit(_))) {
                    let wrong =
                        Wrong::new("no-effect", whole.range(), "this rule does nothing with the packets that fit")
                            .label("without effect")
                            .help("`accept`, `drop`, `counter`, …".to_owned());
                    mistakes.push(wrong.mistake(text).warning());
                }
                rules.chains[chain].rules.push(read.rule);
            }
            Err(wrong) => mistakes.push(wrong.mistake(text)),
        }
    }
}

fn policy_of(word: Word<'_>, context: &Context<'_>) -> Result<Policy, Wrong> {
    let word = Word { text: word.text.trim_end_matches(';'), ..word }.trim();
    if context.hook.is_none() {
        return Err(Wrong::new("firewall", word.range(), "a chain of one's own has no policy")
            .label("not here")
            .help("what no rule of it decides on goes back to where it came from".to_owned()));
    }
    values::choice(word, "policy", &[("accept", Policy::Accept), ("drop", Policy::Drop)])
}

/// Chains that lead to themselves, or through more than netfilter follows.
fn circles(spec: &FirewallSpec, first: usize, leads: &BTreeMap<usize, Vec<usize>>, mistakes: &mut Mistakes) {
    for (number, (name, _)) in spec.chains.iter().enumerate() {
        let own = first + number;
        let mut reached = vec![own];
        for _ in 0..=DEPTH {
            reached = reached.iter().flat_map(|chain| leads.get(chain).into_iter().flatten().copied()).collect();
            reached.sort_unstable();
            reached.dedup();
            if reached.contains(&own) {
                let reason = format!("the chain `{}` leads to itself", name.text);
                mistakes.push(Mistake::new("firewall", name.span.clone(), reason, "a circle"));
                break;
            }
        }
        if !reached.is_empty() && !reached.contains(&own) {
            let reason = format!("the chain `{}` leads through more than {DEPTH} others", name.text);
            mistakes.push(Mistake::new("firewall", name.span.clone(), reason, "too deep"));
        }
    }
}

/// Puts rules that translate addresses into chains of their own, which are asked for the first packet of a conversation only.
fn translations(rules: &mut Ruleset) {
    for (hook, chain) in rules.base.clone() {
        let translates = |step: &Step| {
            matches!(step, Step::Do(Action::Masquerade(_) | Action::Snat(..) | Action::Dnat(..) | Action::Redirect(_)))
        };
        let all = core::mem::take(&mut rules.chains[chain].rules);
        let (nat, filter): (Vec<_>, Vec<_>) = all.into_iter().partition(|rule| rule.steps.iter().any(translates));
        rules.chains[chain].rules = filter;
        if !nat.is_empty() {
            rules.nat.push((hook, rules.chains.len()));
            let name = rules.chains[chain].name.clone();
            rules.chains.push(Chain { name, policy: Policy::Accept, rules: nat });
        }
    }
}
