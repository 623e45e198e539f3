//! Scratch.
struct P(u64, u64, septet_capture::Names);
impl septet_core::Monitor for P {
    fn interest(&self) -> septet_core::Interest {
        septet_core::Interest::Events
    }
    fn event(&mut self, e: &septet_core::Event) {
        let ms = e.at.as_millis();
        if ms >= self.0 && ms < self.1 {
            let f: Vec<String> = e.fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
            println!("{} {} {} {:?}<-{:?} {}", e.at, self.2.of_station(e.station), e.kind, e.id, e.cause, f.join(" "));
        }
    }
}
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lab = match septet_lab::Lab::parse(&path, &text) {
        Ok(lab) => lab,
        Err(m) => panic!("{m:?}"),
    };
    let start = std::time::Instant::now();
    let mut run = lab.build(&Default::default()).unwrap();
    println!("built {:?}", start.elapsed());
    if let Some(w) = std::env::args().nth(3) {
        let (a, b) = w.split_once("..").unwrap();
        let names = run.names();
        run.world.add_monitor(P(a.parse().unwrap(), b.parse().unwrap(), names));
    }
    run.play().unwrap();
    let outcome = run.outcome();
    println!("ran {:?} {:?}", start.elapsed(), outcome.stats);
    for o in run.outputs() {
        let out = o.console.output();
        println!(
            "--- {} {}:\n{}{}",
            lab.nodes[o.node].name,
            lab.nodes[o.node].spec.commands[o.command].line,
            &out[..out.len().min(1500)],
            o.console.errors()
        );
    }
    for (name, r) in &outcome.recorders {
        for m in r.names() {
            let s = r.series(&m).unwrap();
            println!("{name} {m} n={} sum={}", s.count(), s.sum());
        }
    }
    if std::env::args().nth(2).is_some() {
        println!("{:#?}", outcome.counters);
    }
    for v in &outcome.verdicts {
        println!("{} {v}", v.held);
    }
    println!("{}", outcome.digest);
}
