//! What the kernel's part in input and output costs on this machine: the defaults of the cost model of hosts.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use cpu_time::{ProcessTime, ThreadTime};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// What each part costs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Costs {
    /// A system call on a socket that finds nothing to do.
    pub syscall: Duration,
    /// From one thread to another on the same processor.
    pub switch: Duration,
    /// Nanoseconds that 1,024 octets more take to be copied from a program to the kernel or back, with all that the kernel does by
    /// the octet.
    pub copy_ns_per_kib: f64,
    /// From the moment a sleeping thread has something to do until it runs, on another processor.
    pub wake: Duration,
    /// Processors that this process may use.
    pub cores: usize,
}

/// Measurements of which the quickest counts: whatever else runs only ever makes them slower.
const TURNS: usize = 15;
const CALLS: u32 = 20_000;
const COPIES: u32 = 500;
/// What goes into the buffers of a connection.
const COPIED: usize = 32 << 10;
const ROUNDS: u32 = 1_000;
/// Rounds between two processors, of which the median counts.
const WAKES: usize = 200;

/// Measures all of them; it takes a second or two.
///
/// # Errors
/// What the kernel refuses: sockets, threads, or that they run where they are told to.
pub fn calibrate() -> io::Result<Costs> {
    let processors = processors()?;
    let switch = quickest(|| switch(processors[0]))?;
    let wake = match processors[..] {
        [first, second, ..] => quickest(|| wake(first, second))?,
        // On the only one a thread runs as soon as the other has gone.
        _ => switch,
    };
    Ok(Costs {
        syscall: quickest(syscall)?,
        switch,
        copy_ns_per_kib: quickest(copy)?.as_secs_f64() * 1e9 / (COPIED as f64 / 1024.0),
        wake,
        cores: processors.len(),
    })
}

impl Costs {
    /// The keys of a lab file.
    pub fn to_toml(&self) -> String {
        let time = |time: Duration| match time.as_nanos() {
            ns if ns < 1000 => format!("{ns}ns"),
            ns => format!("{:.1}us", ns as f64 / 1e3),
        };
        format!(
            "# Measured by `septet calibrate`; `cores` are the processors that it may use.\n[host.NAME.costs]\ncall = \"{}\"\n\
             copy = \"{:.0}ns\"\ncores = {}\nswitch = \"{}\"\nwake = \"{}\"\n",
            time(self.syscall),
            self.copy_ns_per_kib,
            self.cores,
            time(self.switch),
            time(self.wake)
        )
    }
}

fn quickest(mut measure: impl FnMut() -> io::Result<Duration>) -> io::Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..TURNS {
        best = best.min(measure()?);
    }
    Ok(best)
}

fn processors() -> io::Result<Vec<usize>> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let all: Vec<usize> = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).collect();
    if all.is_empty() { Err(io::Error::other("there is no processor to measure")) } else { Ok(all) }
}

/// Lets the calling thread run on this processor alone.
fn stay(cpu: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &only)?)
}

fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    Ok((near, listener.accept()?.0))
}

/// A read that finds nothing: `EWOULDBLOCK`.
fn syscall() -> io::Result<Duration> {
    let (mut near, _far) = pair()?;
    near.set_nonblocking(true)?;
    let start = ThreadTime::now();
    for _ in 0..CALLS {
        match near.read(&mut [0]) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            other => return Err(io::Error::other(format!("an empty socket gave {other:?}"))),
        }
    }
    Ok(start.elapsed() / CALLS)
}

/// What much takes longer than little to be written and read again: half of it, as each octet is copied twice.
fn copy() -> io::Result<Duration> {
    let (mut near, mut far) = pair()?;
    let mut buffer = vec![1; COPIED];
    let mut time = |len: usize| -> io::Result<Duration> {
        let start = ThreadTime::now();
        for _ in 0..COPIES {
            near.write_all(&buffer[..len])?;
            far.read_exact(&mut buffer[..len])?;
        }
        Ok(start.elapsed() / COPIES)
    };
    let (much, little) = (time(COPIED)?, time(1)?);
    Ok(much.saturating_sub(little) / 2)
}

/// Answers each octet with one, until there are no more.
fn echo(mut stream: UnixStream) -> io::Result<()> {
    let mut octet = [0];
    while stream.read(&mut octet)? == 1 {
        stream.write_all(&octet)?;
    }
    Ok(())
}

/// What a write and a read take where nobody has to wait.
fn write_and_read() -> io::Result<Duration> {
    let (mut near, mut far) = UnixStream::pair()?;
    let mut octet = [0];
    let start = ThreadTime::now();
    for _ in 0..ROUNDS {
        near.write_all(&octet)?;
        far.read_exact(&mut octet)?;
    }
    Ok(start.elapsed() / ROUNDS)
}

/// An octet that two threads pass each other: its rounds, while the other end answers on processor `theirs`.
fn rounds<R: Send>(
    ours: usize,
    theirs: usize,
    measure: impl FnOnce(&mut UnixStream) -> io::Result<R> + Send,
) -> io::Result<R> {
    let (near, far) = UnixStream::pair()?;
    thread::scope(|scope| {
        scope.spawn(move || stay(theirs).and_then(|()| echo(far)));
        // Its own thread, so that the caller may run where it likes afterwards.
        let measured = scope.spawn(move || {
            let mut near = near;
            stay(ours)?;
            round(&mut near)?;
            measure(&mut near)
        });
        measured.join().unwrap_or_else(|_| Err(io::Error::other("the thread that measures has failed")))
    })
}

fn round(stream: &mut UnixStream) -> io::Result<()> {
    stream.write_all(&[0])?;
    stream.read_exact(&mut [0])
}

/// A round of two threads on one processor, without what they write and read. It is the CPU time of both, so that it does not matter who
/// else runs there.
fn switch(cpu: usize) -> io::Result<Duration> {
    let calls = write_and_read()?;
    let each = rounds(cpu, cpu, |stream| {
        let start = ProcessTime::now();
        for _ in 0..ROUNDS {
            round(stream)?;
        }
        Ok(start.elapsed() / (2 * ROUNDS))
    })?;
    Ok(each.saturating_sub(calls))
}

/// Half a round of two threads on two processors, without what they write and read: the median.
fn wake(ours: usize, theirs: usize) -> io::Result<Duration> {
    let calls = write_and_read()?;
    let mut times = rounds(ours, theirs, |stream| {
        let mut times = Vec::with_capacity(WAKES);
        for _ in 0..WAKES {
            let start = Instant::now();
            round(stream)?;
            times.push(start.elapsed() / 2);
        }
        Ok(times)
    })?;
    times.sort_unstable();
    Ok(times[times.len() / 2].saturating_sub(calls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cost_is_found_and_written_with_its_unit() {
        let costs = calibrate().unwrap();
        assert!(costs.syscall > Duration::ZERO && costs.copy_ns_per_kib > 0.0 && costs.cores > 0, "{costs:?}");
        let costs = Costs {
            syscall: Duration::from_nanos(180),
            switch: Duration::from_nanos(1649),
            copy_ns_per_kib: 49.6,
            wake: Duration::from_micros(5),
            cores: 2,
        };
        let keys =
            "[host.NAME.costs]\ncall = \"180ns\"\ncopy = \"50ns\"\ncores = 2\nswitch = \"1.6us\"\nwake = \"5.0us\"\n";
        assert!(costs.to_toml().ends_with(keys), "{}", costs.to_toml());
    }
}
