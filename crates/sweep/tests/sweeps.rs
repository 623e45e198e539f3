//! Sweeps from the plan to the table.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use septet_sweep::{Axis, Journal, Plan, PlanError, Record, Table, execute, statistics};

const LAB: &str = r#"
[lab]
name = "pings"
stop = "12s"
[media]
wan = { rate = "10mbit", delay = "10ms", loss = "5%" }
[topology]
links = ["a -- b : wan"]
[host.a]
run = ["at 1s: ping -c 50 -i 0.2 b"]
[host.b]
[expect]
most = "a.ping.ok >= 40"
[sweep]
"media.wan.delay" = ["10ms", "20ms"]
"#;

fn plan(axes: &[&str], seeds: &str) -> Plan {
    let axes: Vec<Axis> = axes.iter().map(|a| a.parse().unwrap()).collect();
    Plan::new("pings.toml", LAB, &axes, Some(seeds.parse().unwrap())).unwrap()
}

fn run(plan: &Plan, jobs: usize) -> Vec<Record> {
    let mut records = Vec::new();
    execute(plan, jobs, &BTreeSet::new(), &|| false, |record| records.push(record));
    records.sort_by_key(|r| r.run);
    records
}

fn file(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("septet-sweep-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

#[test]
fn the_grid_is_the_product_of_its_axes() {
    let plan = plan(&["media.wan.loss=0%,20%"], "1..3");
    assert_eq!(plan.runs(), 2 * 2 * 3);
    let all: Vec<_> =
        (0..plan.runs()).map(|n| plan.run(n).unwrap()).map(|(cell, seed)| (cell.set.clone(), seed)).collect();
    let set = |delay: &str, loss: &str| {
        vec![("media.wan.delay".to_owned(), delay.to_owned()), ("media.wan.loss".to_owned(), loss.to_owned())]
    };
    assert_eq!(all[0], (set("10ms", "0%"), 1));
    assert_eq!(all[5], (set("10ms", "20%"), 3));
    assert_eq!(all[11], (set("20ms", "20%"), 3));
    assert!(plan.run(12).is_none());
}

#[test]
fn the_seed_may_be_an_axis() {
    let axes = ["lab.seed=5,6".parse().unwrap(), "media.wan.delay=1ms".parse().unwrap()];
    let plan = Plan::new("pings.toml", LAB, &axes, None).unwrap();
    let seeds: Vec<u64> = (0..plan.runs()).map(|n| plan.run(n).unwrap().1).collect();
    assert_eq!(seeds, [5, 6]);
    let records = run(&plan, 2);
    assert_ne!(records[0].digest, records[1].digest);
}

#[test]
fn an_axis_of_the_command_line_takes_the_place_of_the_file_s() {
    let plan = plan(&["media.wan.delay=1ms"], "1");
    assert_eq!(plan.runs(), 1);
}

#[test]
fn a_cell_that_is_no_lab_is_told_before_anything_runs() {
    let axes = ["media.wan.los=1%".parse().unwrap()];
    let Err(unfit) = Plan::new("pings.toml", LAB, &axes, None) else { panic!("no mistake") };
    assert_eq!(unfit.to_string(), "media.wan.los=1%: there is no key `los` in `media.wan`; did you mean `loss`?");
    let axes = ["lab=1".parse().unwrap()];
    assert!(matches!(Plan::new("pings.toml", LAB, &axes, None), Err(PlanError::Setting(_))));
    for setting in ["media.wan.loss=5", "media.wam.loss=5%", "host.nobody.mtu=1400"] {
        let axes = [setting.parse().unwrap()];
        let told = Plan::new("pings.toml", LAB, &axes, None);
        assert!(matches!(told, Err(PlanError::Unfit(of, _)) if of == setting), "{setting}");
    }
}

#[test]
fn threads_change_nothing() {
    let plan = plan(&["media.wan.loss=0%,20%"], "1..5");
    let (one, four) = (run(&plan, 1), run(&plan, 4));
    assert!(one == four, "threads change the records");
    assert_eq!(one.len(), 20);
    let digests: BTreeSet<_> = one.iter().map(|r| &r.digest).collect();
    assert!(digests.len() > 10, "seeds and values make other runs");
}

#[test]
fn statistics_name_the_seeds() {
    let plan = plan(&["media.wan.loss=0%,20%"], "1..10");
    let all = statistics(&run(&plan, 2));
    assert_eq!(all.len(), 4);
    let (calm, lossy) = (&all[0], &all[1]);
    assert_eq!((calm.runs, calm.ok, calm.failed_seeds.len()), (10, 10, 0));
    assert_eq!(calm.metrics["a.ping.ok"].min, 50.0);
    assert!(lossy.ok < 10, "a third of the echoes is lost both ways together");
    assert_eq!(lossy.failed_seeds.len() as u64, 10 - lossy.ok);
    let spread = lossy.expect["most"].found.unwrap();
    assert!(spread.min < spread.median && spread.median <= spread.p95 && spread.p95 <= spread.max);
    let worst =
        run(&plan, 1).into_iter().find(|r| r.set["media.wan.loss"] == "20%" && r.seed == spread.min_seed).unwrap();
    assert_eq!(worst.metrics["a.ping.ok"], spread.min);
}

#[test]
fn an_interrupted_sweep_goes_on_where_it_stopped() {
    let plan = plan(&[], "1..10");
    let path = file("journal.jsonl");
    let whole = run(&plan, 1);
    {
        let mut journal = Journal::create(&path).unwrap();
        let halt = AtomicBool::new(false);
        let mut count = 0;
        execute(&plan, 2, &BTreeSet::new(), &|| halt.load(Ordering::Relaxed), |record| {
            journal.write(&record).unwrap();
            count += 1;
            if count == 7 {
                halt.store(true, Ordering::Relaxed);
            }
        });
        assert!(count < 20);
    }
    // The power failed in the middle of a line, and somebody added nonsense.
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"septet\":\"sweep-run\",\"vers");
    std::fs::write(&path, text).unwrap();
    let (mut journal, mut records) = Journal::resume(&path, &plan).unwrap();
    assert!(records.len() >= 7);
    let done: BTreeSet<u64> = records.iter().map(|r| r.run).collect();
    execute(&plan, 2, &done, &|| false, |record| {
        assert!(!done.contains(&record.run), "run {} again", record.run);
        journal.write(&record).unwrap();
        records.push(record);
    });
    records.sort_by_key(|r| r.run);
    assert!(records == whole, "the two halves are not the whole");
    let (_, again) = Journal::resume(&path, &plan).unwrap();
    assert_eq!(again.len(), whole.len());
    // Another lab's records are not taken for this one's.
    let other = Plan::new("pings.toml", &LAB.replace("12s", "13s"), &[], Some("1..10".parse().unwrap())).unwrap();
    assert_eq!(Journal::resume(&path, &other).unwrap().1.len(), 0);
}

#[test]
fn csv_and_parquet_hold_the_same() {
    let plan = plan(&["media.wan.loss=0%,20%"], "1..3");
    let records = run(&plan, 2);
    let table = Table::new(&records);
    let mut csv = Vec::new();
    table.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|l| l.split(',').collect()).collect();
    assert_eq!(lines.len(), 13);
    assert!(lines.iter().all(|l| l.len() == lines[0].len()));
    assert_eq!(lines[0][..5], ["run", "media.wan.delay", "media.wan.loss", "seed", "digest"]);
    assert_eq!(lines[1][..4], ["0", "10ms", "0%", "1"]);
    let found = lines[0].iter().position(|n| *n == "a.ping.ok").unwrap();
    assert_eq!(lines[1][found], "50");

    let path = file("runs.parquet");
    table.write_parquet(std::fs::File::create(&path).unwrap()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 12);
    for (row, line) in rows.iter().zip(&lines[1..]) {
        assert_eq!(row.get_long(0).unwrap().to_string(), line[0]);
        assert_eq!(row.get_string(2).unwrap(), line[2]);
        assert_eq!(row.get_double(found).unwrap().to_string(), line[found]);
    }
}
