//! Runs workloads by themselves: `bench [--scale X] [NAME…]`.

use septet_bench::{Options, WORKLOADS, run, table};

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut options = Options::default();
    if let Some(at) = args.iter().position(|a| a == "--scale") {
        options.scale = args.get(at + 1).and_then(|s| s.parse().ok()).unwrap_or(1.0);
        args.drain(at..(at + 2).min(args.len()));
    }
    let names: Vec<&str> = if args.is_empty() {
        WORKLOADS.iter().map(|w| w.name).collect()
    } else {
        args.iter().map(String::as_str).collect()
    };
    let mut reports = Vec::new();
    for name in names {
        match run(name, &options) {
            Ok(report) => reports.push(report),
            Err(failure) => eprintln!("{name}: {failure}"),
        }
    }
    print!("{}", table(&reports));
}
