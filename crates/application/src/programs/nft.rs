//! `nft`: shows the packet filter of a host as nftables' program does.

use septet_core::Metric;
use septet_socket::BoxFuture;

use super::{Context, Misuse, Needs, Program, complain};

/// The program.
pub(super) struct Nft;

impl Program for Nft {
    fn name(&self) -> &'static str {
        "nft"
    }

    fn summary(&self) -> &'static str {
        "shows the packet filter: tables, chains, rules and what they counted"
    }

    fn usage(&self) -> &'static str {
        "Usage: nft list ruleset | tables | counters
       nft list table inet <table>
"
    }

    fn metrics(&self) -> &'static [Metric] {
        &[]
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        parse(args).map(|_| Needs::default())
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            let what = match parse(&args) {
                Ok(what) => what,
                Err(misuse) => return complain(&context, "nft", &misuse.reason, 1),
            };
            let ruleset = match context.net.admin().and_then(|admin| admin.ruleset()) {
                Ok(ruleset) => ruleset,
                Err(why) => return complain(&context, "nft", &why, 1),
            };
            match what.of(&ruleset) {
                Some(text) => {
                    context.console.out(text.as_bytes());
                    0
                }
                None => {
                    context.console.err(b"Error: No such file or directory\n");
                    1
                }
            }
        })
    }
}

/// What is shown.
enum What {
    Ruleset,
    Tables,
    Counters,
    Table(String),
}

fn parse(args: &[String]) -> Result<What, Misuse> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let misuse = |place: usize, reason: &str| {
        let place = (place < args.len()).then_some(place);
        Err(Misuse { place, reason: format!("Error: syntax error, {reason}"), options: Vec::new() })
    };
    match &words[..] {
        ["list", "ruleset"] => Ok(What::Ruleset),
        ["list", "tables"] => Ok(What::Tables),
        ["list", "counters"] => Ok(What::Counters),
        ["list", "table", "inet", name] => Ok(What::Table((*name).to_owned())),
        ["list", "table", ..] => misuse(2, "`inet` and the name of a table belong here"),
        ["list", "ruleset" | "tables" | "counters", ..] => misuse(2, "nothing more belongs here"),
        ["list", ..] => misuse(1, "`ruleset`, `tables`, `counters` or `table` belongs here"),
        _ => misuse(0, "only `list` is known: the lab file has the rules"),
    }
}

impl What {
    /// The part of a whole ruleset that is asked for; `None` where there is no such table.
    fn of(&self, ruleset: &str) -> Option<String> {
        // Each table begins and ends at the beginning of a line.
        let tables = || ruleset.split_inclusive("\n}\n");
        let head = |table: &str| table.split(" {\n").next().unwrap_or_default().to_owned();
        match self {
            Self::Ruleset => Some(ruleset.to_owned()),
            Self::Tables => Some(tables().map(|table| head(table) + "\n").collect()),
            Self::Table(name) => tables().find(|table| head(table) == format!("table inet {name}")).map(str::to_owned),
            Self::Counters => Some(tables().map(|table| counters(&head(table), table)).collect()),
        }
    }
}

fn counters(head: &str, table: &str) -> String {
    let mut text = format!("{head} {{\n");
    let mut inside = false;
    for line in table.lines() {
        inside |= line.starts_with("\tcounter ");
        if inside {
            text += line;
            text += "\n";
        }
        inside &= line != "\t}";
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_ruleset() {
        let ruleset = "table inet filter {\n\tcounter web {\n\t\tpackets 2 bytes 114\n\t}\n\n\tchain input {\n\t\taccept\n\t}\n}\n\
                       table inet nat {\n\tchain masquerade {\n\t}\n}\n";
        let of = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            parse(&words).map(|what| what.of(ruleset)).map_err(|misuse| misuse.place)
        };
        assert_eq!(of("list ruleset"), Ok(Some(ruleset.to_owned())));
        assert_eq!(of("list tables"), Ok(Some("table inet filter\ntable inet nat\n".to_owned())));
        assert_eq!(of("list table inet nat"), Ok(Some("table inet nat {\n\tchain masquerade {\n\t}\n}\n".to_owned())));
        let counters = "table inet filter {\n\tcounter web {\n\t\tpackets 2 bytes 114\n\t}\n}\ntable inet nat {\n}\n";
        assert_eq!(of("list counters"), Ok(Some(counters.to_owned())));
        assert_eq!(of("list table inet nope"), Ok(None));
        assert_eq!(of("list nonsense"), Err(Some(1)));
        assert_eq!(of("add table"), Err(Some(0)));
        assert_eq!(of("list"), Err(None));
    }
}
