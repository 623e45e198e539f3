//! A lab from code is the lab that a file with the same words gives.

use core::time::Duration;
use std::fs;
use std::path::PathBuf;

use septet_core::{Bytes, Rate};
use septet_lab::{BuildOptions, Fields, Host, L3Switch, Lab, LabBuilder, Medium, Mistakes, Router, Switch, Value};
use septet_language::document::{self, Item, Table};

fn labs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../labs")
}

/// What a lab is, but for where it is written.
fn model(lab: &Lab) -> String {
    let Lab { name, description, seed, stop, epoch, sample, nodes, links, faults, expectations, sweep, .. } = lab;
    let whole =
        format!("{:#?}", (name, description, seed, stop, epoch, sample, nodes, links, faults, expectations, sweep));
    let is_place = |line: &str| {
        let line = line.trim().trim_end_matches(',');
        let line = line.strip_prefix("span: ").or_else(|| line.strip_prefix("at: ")).unwrap_or(line);
        line.split_once("..").is_some_and(|(from, to)| from.parse::<usize>().is_ok() && to.parse::<usize>().is_ok())
    };
    // A text says where in the file it starts: `Some(`, the place, and `)`. Not where it is written with escapes.
    let mut skipped = 0;
    let mut model = String::new();
    for line in whole.lines() {
        match line.trim() {
            _ if skipped > 0 => skipped -= 1,
            "start: Some(" => skipped = 2,
            "start: None," => {}
            _ if is_place(line) => {}
            _ => {
                model.push_str(line);
                model.push('\n');
            }
        }
    }
    model
}

/// The calls that say what the tables of a file say.
fn told(name: &str, text: &str) -> LabBuilder {
    let mut mistakes = Mistakes::new(name, text);
    let root = document::parse(text, &mut mistakes);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let mut builder = Lab::builder(name).beside(labs());
    for (section, item) in &root.entries {
        let document::Value::Table(table) = &item.value else { panic!("{} is a table", section.text) };
        for (key, item) in &table.entries {
            let key = key.text.as_str();
            let below = || match &item.value {
                document::Value::Table(table) => table,
                other => panic!("`{key}` is {}", other.what()),
            };
            builder = match section.text.as_str() {
                "lab" if matches!(item.value, document::Value::Table(_)) => builder.table(key, |it| fill(it, below())),
                "lab" => builder.set(key, value(item)),
                "topology" => texts(item).into_iter().fold(builder, LabBuilder::link),
                "faults" => texts(item).into_iter().fold(builder, LabBuilder::fault),
                "expect" => builder.expect(key, texts(item).remove(0)),
                "media" => builder.medium(key, |medium| all(medium, below(), Medium::set, Medium::table)),
                "host" => builder.host(key, |host| all(host, below(), Host::set, Host::table)),
                "router" => builder.router(key, |router| all(router, below(), Router::set, Router::table)),
                "switch" => builder.switch(key, |switch| all(switch, below(), Switch::set, Switch::table)),
                "l3switch" => builder.l3switch(key, |it| all(it, below(), L3Switch::set, L3Switch::table)),
                "hub" => builder.hub(key),
                "sweep" => {
                    let document::Value::List(values) = &item.value else { panic!("{key}") };
                    builder.sweep(key, values.iter().map(value))
                }
                other => panic!("nothing builds `{other}`"),
            };
        }
    }
    builder
}

/// What fills a table.
type Filling = Box<dyn FnOnce(Fields) -> Fields>;

fn all<B>(builder: B, table: &Table, set: fn(B, &str, Value) -> B, below: fn(B, &str, Filling) -> B) -> B {
    table.entries.iter().fold(builder, |builder, (key, item)| match &item.value {
        document::Value::Table(table) => {
            let table = table.clone();
            below(builder, &key.text, Box::new(move |fields| fill(fields, &table)))
        }
        _ => set(builder, &key.text, value(item)),
    })
}

fn fill(fields: Fields, table: &Table) -> Fields {
    table.entries.iter().fold(fields, |fields, (key, item)| match &item.value {
        document::Value::Table(table) => fields.table(&key.text, |fields| fill(fields, table)),
        _ => fields.set(&key.text, value(item)),
    })
}

fn texts(item: &Item) -> Vec<String> {
    match &item.value {
        document::Value::Text(text) => vec![text.text.clone()],
        document::Value::List(list) => list.iter().flat_map(texts).collect(),
        other => panic!("{}", other.what()),
    }
}

fn value(item: &Item) -> Value {
    match &item.value {
        document::Value::Text(text) => text.text.as_str().into(),
        document::Value::Integer(n) => (*n).into(),
        document::Value::Float(n) => (*n).into(),
        document::Value::Bool(on) => (*on).into(),
        document::Value::Datetime(date) => date.to_string().into(),
        document::Value::List(list) => list.iter().map(value).collect::<Vec<_>>().into(),
        document::Value::Table(_) => panic!("a table is no value"),
    }
}

#[test]
fn every_lab_of_the_repository_can_come_from_code() {
    let mut count = 0;
    for directory in [labs(), labs().join("validation")] {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "toml") {
                continue;
            }
            count += 1;
            let text = fs::read_to_string(&path).unwrap();
            let file = Lab::parse(&path.to_string_lossy(), &text).unwrap();
            let built = told(&file.name, &text).beside(&directory).build();
            let built = built.unwrap_or_else(|mistakes| panic!("{}: {mistakes:?}", path.display()));
            assert!(model(&file).matches("name: ").count() > file.nodes.len(), "what is compared is there");
            assert_eq!(model(&built), model(&file), "{}", path.display());
            // What it has as its text says the same once more.
            let again = Lab::parse(&path.to_string_lossy(), &built.text).unwrap();
            assert_eq!(model(&again), model(&file), "{}", path.display());
        }
    }
    assert!(count > 50, "{count} labs");
}

fn digest(lab: &Lab) -> String {
    lab.build(&BuildOptions::default()).unwrap().finish().unwrap().digest.to_string()
}

#[track_caller]
fn same(name: &str, built: LabBuilder) {
    let path = labs().join(format!("{name}.toml"));
    let file = Lab::parse(&path.to_string_lossy(), &fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(digest(&built.build().unwrap()), digest(&file));
}

#[test]
fn the_shop_by_hand() {
    let ms = Duration::from_millis;
    let built = Lab::builder("shop")
        .seed(7)
        .stop(Duration::from_secs(30))
        .medium("lan", |lan| lan.rate(Rate::from_bits_per_sec(1_000_000_000).unwrap()).delay(Duration::from_micros(20)))
        .medium("wan", |wan| wan.rate("20mbit").delay(ms(25)).loss("0.5%").queue("fq_codel").limit(Bytes(65_536)))
        .link("client -- s1")
        .link("s1 -- r1")
        .link("r1 -- r2 : wan")
        .link("r2 -- s2")
        .link("s2 -- lb, dns, web[1..3]")
        .switch("s1", |s| s)
        .switch("s2", |s| s)
        .router("r1", |r| r)
        .router("r2", |r| r)
        .host("dns", |h| {
            h.service("dns", |dns| dns.table("zones", |z| z.table("shop.test", |shop| shop.set("www", "lb"))))
        })
        .host("lb", |h| {
            h.service("balancer", |lb| {
                lb.set("listen", "https://www.shop.test")
                    .set("to", "web[1..3]:80")
                    .set("policy", "least-connections")
                    .table("health", |health| health.set("every", ms(500)).set("path", "/"))
                    .set("response_timeout", ms(500))
            })
        })
        .host("web[1..3]", |h| h.service("http", |http| http.set("body", Bytes(20 * 1024)).set("think", ms(2))))
        .host("client", |h| h.tcp("cubic").run("at 1s: curl https://www.shop.test/ --repeat 200 --interval 100ms"))
        .fault("5s..7s: loss 20% on r1--r2")
        .fault("10s: crash web2")
        .fault("15s: restart web2")
        .fault("18s..19s: cut r1--r2");
    same("shop", built);
}

#[test]
fn vlans_by_hand() {
    let built = Lab::builder("router-on-a-stick")
        .stop(Duration::from_secs(20))
        .link("s1 -- s2")
        .link("s1 -- red1, blue1, admin1")
        .link("s2 -- red2, blue2, admin2, r1")
        .switch("s1", |s| {
            s.vlan("red1", 10).vlan("blue1", 20).vlan("admin1", 99).trunk("s2").table("native", |n| n.set("s2", 99))
        })
        .switch("s2", |s| {
            s.vlan("red2", 10)
                .vlan("blue2", 20)
                .vlan("admin2", 99)
                .trunk("s1")
                .trunk("r1")
                .table("native", |native| native.set("s1", 99))
                .table("allowed", |allowed| allowed.set("r1", [10, 20]))
        })
        .router("r1", |r| r)
        .host("red[1..2]", |h| h)
        .host("blue[1..2]", |h| h)
        .host("admin[1..2]", |h| h)
        .host("red1", |h| {
            h.run("at 1s: ping red2 -c 2")
                .run("at 4s: ping blue1 -c 2")
                .run("at 7s: traceroute blue2")
                .run("at 10s: ping admin1 -c 2")
        })
        .host("blue2", |h| h.run("at 12s: curl http://red2/ -o /dev/null"))
        .host("red2", |h| h.service("http", |http| http.set("body", "100kb")))
        .host("admin1", |h| h.run("at 1s: ping admin2 -c 2"));
    same("router-on-a-stick", built);
}

#[test]
fn a_recorded_link_by_hand() {
    let built = Lab::builder("cellular")
        .beside(labs())
        .stop("24s")
        .link("server -- tower")
        .link("tower -- phone : delay 20ms")
        .link("tower -> phone : rate trace traces/cellular.down, limit 300p")
        .router("tower", |r| r)
        .host("server", |h| h.run("at 100ms: tcp-send phone 7 100mb"))
        .host("phone", |h| h.run("tcp-sink 7").run("at 1s: ping -c 220 -i 100ms server"));
    same("cellular", built);
}

#[track_caller]
fn wrong(built: LabBuilder, expected: &[(&str, &str)]) {
    let mistakes = built.build().unwrap_err();
    let found: Vec<_> = mistakes.iter().map(|m| (mistakes.place(m), m.reason().to_owned())).collect();
    let found: Vec<_> = found.iter().map(|(place, reason)| (place.as_str(), reason.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_mistake_names_the_call_that_made_it() {
    let two = || Lab::builder("two").link("a -- s").link("s -- b").switch("s", |s| s);
    wrong(two().host("a", |h| h), &[("link 2 of the builder", "no node is called `b`")]);
    let ends = || two().host("a", |h| h).host("b", |h| h);
    wrong(ends().fault("5s: cut a--b"), &[("fault 1 of the builder", "no link joins a and b")]);
    wrong(
        ends().expect("fast", "p99(a.http.time) < 5mb"),
        &[("expectation `fast` of the builder", "a time cannot be compared with a size")],
    );
    wrong(
        two()
            .host("a", |h| h.run("ping b").run("at 1s: pong b"))
            .host("b", |h| h.service("http", |http| http.set("boddy", 5)).mtu(5)),
        &[
            ("`run` 2 of host `a` of the builder", "no program is called `pong`"),
            ("`mtu` of host `b` of the builder", "an MTU of 5 bytes"),
            ("`boddy` of `http` of host `b` of the builder", "there is no key `boddy` in `host.b.http`"),
        ],
    );
    wrong(
        two().host("a", |h| h).host("b", |h| h.service("balancer", |lb| lb.set("to", "a:80"))),
        &[("`balancer` of host `b` of the builder", "`host.b.balancer` has no `listen`")],
    );
    wrong(ends().host("a", |h| h.mtu(1400)), &[("host `a` of the builder", "host `a` is told of twice")]);
    wrong(
        ends().medium("wan", |m| m.rate("20mbps")).stop(Duration::ZERO),
        &[
            ("`stop` of the lab of the builder", "no time at all"),
            (
                "`rate` of medium `wan` of the builder",
                "`mbps` means bytes a second to `tc` and bits a second to most people",
            ),
        ],
    );
}

#[test]
fn what_is_said_twice_of_a_table_adds_up_or_takes_its_place() {
    let built = Lab::builder("t\"w/o")
        .link("a -- b")
        .host("b", |h| h.mtu(1400).mtu(1300).tcp_option("sack", false).tcp_option("ecn", "active"))
        .host("a", |h| h.run("at 1s: ping b").run("at 2s: curl http://b/ -d 'a \"quoted\" \\ text'"));
    let lab = built.build().unwrap();
    assert_eq!((lab.name.as_str(), lab.nodes[0].ports[0].mtu), ("t\"w/o", 1300));
    let tcp = &lab.nodes[0].spec.stack().unwrap().tcp;
    assert!(!tcp.sack && tcp.ecn == septet_transport::tcp::EcnMode::Active);
    assert_eq!(lab.nodes[1].commands()[1].arguments[2], "a \"quoted\" \\ text");
}
