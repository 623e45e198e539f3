//! Zones and questions from a seed, which exercise what the standards of zones are about.

use hickory_proto::rr::RecordType;

/// Numbers that are the same for the same seed (SplitMix64).
pub(super) struct Luck(u64);

impl Luck {
    pub(super) const fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ z >> 31) % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    pub(super) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

pub(super) struct Zone {
    pub(super) origin: String,
    pub(super) text: String,
    /// Names in it or near it, relative to the origin.
    names: Vec<String>,
}

/// Pieces of zones: records, with `%` for the number of the piece, and names to ask for.
const PIECES: &[(&str, &[&str])] = &[
    ("host% A 192.0.2.1\nhost% A 192.0.2.2\nhost% AAAA 2001:db8::1\n", &["host%", "under.host%", "HoSt%"]),
    ("alias% CNAME host0\n", &["alias%", "x.alias%"]),
    ("first% CNAME second%\nsecond% CNAME third%\nthird% CNAME host0\n", &["first%", "second%"]),
    ("out% CNAME www.elsewhere.example.\n", &["out%"]),
    ("void% CNAME nothing%\n", &["void%"]),
    ("round% CNAME about%\nabout% CNAME round%\n", &["round%"]),
    ("self% CNAME self%\n", &["self%"]),
    ("into% CNAME deep.cut0\n", &["into%"]),
    ("*.wild% A 192.0.2.7\n*.wild% TXT \"wild\"\n", &["wild%", "a.wild%", "a.b.wild%", "*.wild%", "x.*.wild%"]),
    ("*.card% MX 10 host0\nx.card% A 192.0.2.8\n", &["a.card%", "x.card%", "y.x.card%", "card%"]),
    ("*.star% CNAME host0\n", &["a.star%", "b.a.star%"]),
    ("*.loop% CNAME a.loop%\n", &["a.loop%", "b.loop%"]),
    ("*.gone% CNAME nothing.gone\n", &["a.gone%"]),
    ("a.b.c% A 192.0.2.9\n", &["c%", "b.c%", "a.b.c%", "x.c%", "x.b.c%", "x.a.b.c%"]),
    ("*.d% A 192.0.2.9\nq.w.d% TXT t\n", &["w.d%", "x.w.d%", "q.w.d%", "z.d%", "y.q.w.d%"]),
    ("*.*.s% TXT two\n", &["*.s%", "a.s%", "a.b.s%", "a.*.s%"]),
    ("cut% NS ns.cut%\ncut% NS ns1\nns.cut% A 192.0.2.20\nns.cut% AAAA 2001:db8::20\n", &["cut%", "a.cut%", "ns.cut%"]),
    ("far% NS ns.elsewhere.example.\n", &["far%", "a.far%"]),
    ("lame% NS ns.lame%\n", &["lame%", "ns.lame%"]),
    ("sib% NS ns.cut0\n", &["sib%", "a.b.sib%"]),
    ("sec% NS ns.sec%\nsec% DS 1 8 2 aabb\nns.sec% A 192.0.2.21\nhid.sec% TXT t\n", &["sec%", "hid.sec%"]),
    ("top% NS ns.top%\nns.top% A 192.0.2.22\nlow.top% NS ns.low.top%\nns.low.top% A 192.0.2.23\n", &["x.low.top%"]),
    ("*.dele% NS ns1\n", &["*.dele%"]),
    ("moved% DNAME host0\nmoved% TXT t\n", &["moved%", "a.moved%"]),
    ("tree% DNAME new%\na.new% A 192.0.2.30\n*.w.new% A 192.0.2.31\n", &["a.tree%", "b.tree%", "x.w.tree%", "tree%"]),
    ("gate% DNAME elsewhere.example.\n", &["a.gate%", "a.b.gate%"]),
    ("hop% DNAME cut0\n", &["a.hop%", "ns.hop%"]),
    ("mail% MX 10 host0\nmail% MX 20 ns.cut0\nmail% MX 30 alias0\nmail% MX 40 mx.elsewhere.example.\n", &["mail%"]),
    ("_s._tcp% SRV 1 2 80 host0\n_s._tcp% SRV 1 2 80 a.wild0\n", &["_s._tcp%", "_tcp%"]),
    ("odd% TYPE65400 \\# 3 0a0b0c\nodd% CAA 0 issue \"ca.example\"\nodd% HINFO PC Linux\n", &["odd%"]),
    ("nap% NAPTR 1 2 u E2U+sip \"!a!b!\" .\nnap% SSHFP 1 1 aabbccddeeaabbccddeeaabbccddeeaabbccddee\n", &["nap%"]),
    ("dot\\.ted% A 192.0.2.40\n", &["dot\\.ted%"]),
    ("own% NS ns.own%\nns.own% A 192.0.2.50\nown% A 192.0.2.51\nown% TXT t\n", &["own%"]),
];

/// Sets of many records: too many for a datagram, or nearly.
fn many(number: usize, count: usize) -> String {
    let addresses = (1..=count).map(|i| format!("many{number} A 10.0.{number}.{i}\n"));
    let texts = (1..=count / 4).map(|i| format!("text{number} TXT \"{i} {}\"\n", "x".repeat(60)));
    addresses.chain(texts).collect()
}

pub(super) fn generated(number: usize, luck: &mut Luck) -> Zone {
    // Some lie below others.
    let origin = match number % 7 {
        5 => format!("child.z{}.example", number - 1),
        6 => format!("a.b.z{number}.example"),
        _ => format!("z{number}.example"),
    };
    // A zone of serial 0 NSD takes for one that has not come.
    let serial = number + 1;
    let ttl = luck.pick(&["1h", "60", "1d12h"]);
    let minimum = luck.pick(&["300", "1w"]);
    let mut text = format!(
        "$ORIGIN {origin}.\n$TTL {ttl}\n@ IN SOA ns1 hostmaster ( {serial} ; serial\n 2h 1h 2w {minimum} )\n  NS ns1\n  NS \
         ns2.elsewhere.example.\n  MX 10 host0\nns1 600 A 192.0.2.53\nns1 AAAA 2001:db8::53\n"
    );
    let mut names: Vec<String> = ["@", "ns1", "nothing", "a.b.nothing", "*"].map(str::to_owned).into();
    if number % 4 == 3 {
        text.push_str("* TXT \"anything\"\n");
    }
    if number % 9 == 8 {
        text.push_str(&format!("$ORIGIN sub.{origin}.\n"));
        text.push_str("inner A 192.0.2.60\n");
        text.push_str(&format!("$ORIGIN {origin}.\n"));
        names.extend(["inner.sub".to_owned(), "sub".to_owned()]);
    }
    // What others point at is in each.
    let always = ["host", "alias", "*.wild", "cut"];
    for (records, asked) in PIECES {
        let is_base = always.iter().any(|base| records.starts_with(&format!("{base}%")));
        for copy in 0..3 {
            if (is_base && copy == 0) || luck.below(4) == 0 {
                let copy = copy.to_string();
                text.push_str(&records.replace('%', &copy));
                names.extend(asked.iter().map(|name| name.replace('%', &copy)));
            }
        }
    }
    if luck.below(2) == 0 {
        text.push_str(&many(number, luck.pick(&[20, 26, 30, 70, 90])));
        names.extend([format!("many{number}"), format!("text{number}")]);
    }
    Zone { origin, text, names }
}

impl Zone {
    /// A name and a type to ask for.
    pub(super) fn question(&self, luck: &mut Luck) -> (String, RecordType) {
        const KINDS: &[RecordType] = &[
            RecordType::A,
            RecordType::A,
            RecordType::AAAA,
            RecordType::TXT,
            RecordType::MX,
            RecordType::NS,
            RecordType::SOA,
            RecordType::CNAME,
            RecordType::SRV,
            RecordType::DS,
            RecordType::DNAME,
            RecordType::ANY,
            RecordType::Unknown(65_400),
            RecordType::CAA,
        ];
        let mut name = match luck.pick(&self.names) {
            name if name == "@" => format!("{}.", self.origin),
            name => format!("{name}.{}.", self.origin),
        };
        match luck.below(10) {
            0 => name = format!("x.{name}"),
            1 => name = name.to_uppercase(),
            2 => name = format!("{}.{name}", "l".repeat(63)),
            _ => {}
        }
        (name, luck.pick(KINDS))
    }
}
