//! The services that run, from their tables to their end, and what a reload makes of them.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use septet_application::programs::Transport;
use septet_live::kept::{At, Generation, Kept, Loudness};
use septet_live::kernel::KernelNet;
use septet_live::machine::Machine;
use septet_presentation::ca::Authority;
use septet_service::{Boot, Service, Site as _, of_file};
use septet_socket::NetRef;

use super::log::{Level, Log};
use super::metrics;
use super::source::Source;
use crate::exit::{Exit, Failure, environment};
use crate::lab_file;
use crate::live::args::FrameArgs;

/// Observations that are kept of each series; counts and sums are of all.
const OBSERVATIONS: usize = 1024;

/// How often it is looked whether connections have ended.
const LOOK: Duration = Duration::from_millis(20);
/// The same of those that a reload has left behind, for which nobody waits.
const LOOK_SLOWLY: Duration = Duration::from_secs(1);

/// The services of a machine.
pub(super) struct Serving<'a> {
    source: &'a Source,
    net: NetRef,
    log: Log,
    kept: Kept,
    current: Arc<Generation>,
    places: Vec<At>,
    authority: Option<Arc<Authority>>,
    counts: Arc<Counts>,
    /// All that may have connections still.
    generations: Vec<Arc<Generation>>,
}

/// What the frame counts.
#[derive(Default)]
struct Counts {
    reloads: AtomicU64,
    failed: AtomicU64,
}

/// Services that were read and have all that they need.
struct Ready {
    services: Vec<Arc<dyn Service>>,
    machine: Machine,
    boots: Vec<Boot>,
    places: Vec<At>,
}

impl<'a> Serving<'a> {
    /// Looks for mistakes, which it shows.
    pub(super) fn check(source: &Source, net: &NetRef) -> Result<(), Failure> {
        prepare(source, net, None).map(drop)
    }

    /// Starts the services on `net`, which may be the kernel's or another.
    pub(super) fn start(source: &'a Source, frame: &FrameArgs, net: NetRef, log: Log) -> Result<Self, Failure> {
        let kept = keep(net.clone(), frame, log);
        let Ready { services, machine, boots, places } = prepare(source, &net, None)?;
        let in_the_way = |(at, e): (_, std::io::Error)| Failure::environment(format!("cannot listen at {at}: {e}"));
        kept.open(&places).map_err(in_the_way)?;
        if let (Some(path), Some(authority)) = (&frame.ca, machine.authority()) {
            fs::write(path, authority.root_pem()).map_err(|e| Failure::file("write", path, &e))?;
        }
        let current = kept.generation();
        let counts = Arc::new(Counts::default());
        if let Some(at) = frame.metrics {
            serve_metrics(at, &net, &counts, log)?;
        }
        boots.iter().for_each(|boot| current.boot(boot));
        for service in &services {
            let ports: Vec<String> = service.ports().iter().map(u16::to_string).collect();
            println!("{} on {}", service.name(), ports.join(", "));
        }
        tell(log, "started", &services);
        let authority = machine.shared_authority();
        let generations = vec![current.clone()];
        Ok(Self { source, net, log, kept, current, places, authority, counts, generations })
    }

    /// Reads the tables again. Where they will do, a new generation of services takes the listeners over; else all stays as it
    /// was.
    pub(super) fn reload(&mut self) {
        match self.renew() {
            Ok(services) => {
                self.counts.reloads.fetch_add(1, Ordering::Relaxed);
                tell(self.log, "reloaded", &services);
            }
            Err(failure) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                let why = match failure.to_string() {
                    told if told.is_empty() => "there are mistakes, shown above".to_owned(),
                    why => why,
                };
                self.log.event(Level::Error, "reload.failed", &[("why", why.into())]);
            }
        }
    }

    fn renew(&mut self) -> Result<Vec<Arc<dyn Service>>, Failure> {
        let Ready { services, machine, boots, places } = prepare(self.source, &self.net, self.authority.clone())?;
        let in_the_way = |(at, e): (_, std::io::Error)| Failure::environment(format!("cannot listen at {at}: {e}"));
        self.kept.open(&places).map_err(in_the_way)?;
        let next = self.kept.generation();
        self.current.retire();
        boots.iter().for_each(|boot| next.boot(boot));
        self.kept.close_all_but(&places);
        self.generations.retain(|generation| generation.connections() > 0);
        self.generations.push(next.clone());
        let before = core::mem::replace(&mut self.current, next);
        (self.places, self.authority) = (places, machine.shared_authority());
        tokio::spawn(async move {
            while before.connections() > 0 {
                tokio::time::sleep(LOOK_SLOWLY).await;
            }
            before.end();
        });
        Ok(services)
    }

    /// Takes no more connections.
    pub(super) fn retire(&self) {
        self.current.retire();
        self.kept.close_all_but(&[]);
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> usize {
        self.generations.iter().map(|generation| generation.connections()).sum()
    }

    /// Waits until none is.
    pub(super) async fn ended(&self) {
        while self.connections() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn keep(net: NetRef, frame: &FrameArgs, log: Log) -> Kept {
    net.recorder().keep_latest(OBSERVATIONS);
    let loudness = if frame.log_all { Loudness::All } else { Loudness::Quiet };
    Kept::new(net, loudness, move |note| log.note(&note))
}

/// Reads the tables, and gets for the services what they need to start. Mistakes and warnings are shown.
fn prepare(source: &Source, net: &NetRef, authority: Option<Arc<Authority>>) -> Result<Ready, Failure> {
    let (name, text, directory) = source.read()?;
    let mut machine = Machine::new(net.clone()).in_directory(directory).trusting(authority);
    let (services, warnings) = of_file(&name, &text, &machine).map_err(|mistakes| {
        lab_file::show(&mistakes);
        Failure::told(Exit::Lab)
    })?;
    if !warnings.is_empty() {
        lab_file::show(&warnings);
    }
    if services.is_empty() {
        return Err(Failure::lab(format!("{name}: there is no table of a service, such as [http]")));
    }
    if let Some(service) = services.iter().find(|service| !service.doors().is_empty()) {
        return Err(Failure::lab(format!("{}: a door leads out of a lab, and here is none", service.name())));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let founded = machine.found(services.iter().map(|service| &**service), now);
    founded.map_err(|e| Failure::environment(e.to_string()))?;
    let boots: Result<Vec<Boot>, _> = services.iter().map(|service| service.start(&machine)).collect();
    let boots = boots.map_err(|e| Failure::environment(e.to_string()))?;
    let mut places: Vec<At> = services.iter().flat_map(|service| service.places()).collect();
    places.sort_unstable();
    places.dedup();
    Ok(Ready { services, machine, boots, places })
}

fn serve_metrics(at: SocketAddr, net: &NetRef, counts: &Arc<Counts>, log: Log) -> Result<(), Failure> {
    // A network of its own, so that it does not count itself.
    let apart = KernelNet::new().map_err(environment)?.into_net();
    let apart = Kept::new(apart, Loudness::Quiet, move |note| log.note(&note));
    apart
        .open(&[(Transport::Tcp, at)])
        .map_err(|(at, e)| Failure::environment(format!("--metrics: cannot listen at {at}: {e}")))?;
    let (recorder, counts) = (net.recorder().clone(), counts.clone());
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let own = move || {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        vec![
            ("start_time_seconds", "gauge", "when the server started, since 1970", began),
            ("reloads_total", "counter", "configurations taken by SIGHUP", count(&counts.reloads)),
            ("reloads_failed_total", "counter", "configurations that would not do", count(&counts.failed)),
        ]
    };
    let serving = metrics::serve(apart.generation(), at, recorder, own);
    tokio::spawn(async move {
        if let Err(e) = serving.await {
            log.event(Level::Error, "metrics.failed", &[("why", e.to_string().into())]);
        }
    });
    Ok(())
}

fn tell(log: Log, event: &str, services: &[Arc<dyn Service>]) {
    for service in services {
        let ports: Vec<String> = service.ports().iter().map(u16::to_string).collect();
        log.event(Level::Info, event, &[("service", service.name().into()), ("ports", ports.join(",").into())]);
    }
}
