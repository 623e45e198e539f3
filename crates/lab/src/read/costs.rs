//! `[host.NAME.costs]`: what the system calls of a host's programs cost.

use std::sync::Arc;

use septet_language::schema::{Count, Key, Section, Size, Table, TableOf, Time};
use septet_socket::cpu::Costs;

pub(crate) static COSTS: Key<TableOf> = Key::new(
    "costs",
    TableOf(&SECTION),
    "what system calls of programs with blocking and non-blocking sockets cost (nothing): `costs = {}` for the defaults",
);

static SECTION: Section = Section::new(
    "What system calls cost: with it the calls of programs with blocking and non-blocking sockets take time on the host's cores.",
    &[&[&CORES, &CALL, &COPY, &SWITCH, &WAKE, &SLICE, &THREAD]],
);

static CORES: Key<Count<u16>> = Key::new("cores", Count(1, 1024), "on how many cores the programs run (1)");
static CALL: Key<Time> = Key::new("call", Time, "what a system call costs, whatever it does (200ns)");
static COPY: Key<Time> =
    Key::new("copy", Time, "what copying 1024 bytes between the kernel and a program costs (50ns)");
static SWITCH: Key<Time> = Key::new("switch", Time, "what it costs that a core goes to another thread (2us)");
static WAKE: Key<Time> = Key::new("wake", Time, "from what a thread waits for until it is ready to run (3us)");
static SLICE: Key<Time> = Key::new("slice", Time, "how long a thread runs while others are ready (3ms)");
static THREAD: Key<Size> =
    Key::new("thread", Size, "what a thread takes of memory, its stacks as far as they are used (24kb)");

/// What the table `costs` of a host says.
pub(crate) fn read(host: &Table) -> Option<Arc<Costs>> {
    let table = host.get(&COSTS)?;
    let usual = Costs::default();
    Some(Arc::new(Costs {
        cores: table.get(&CORES).unwrap_or(usual.cores),
        call: table.get(&CALL).unwrap_or(usual.call),
        copy: table.get(&COPY).unwrap_or(usual.copy),
        switch: table.get(&SWITCH).unwrap_or(usual.switch),
        wake: table.get(&WAKE).unwrap_or(usual.wake),
        slice: table.get(&SLICE).unwrap_or(usual.slice),
        thread: table.get(&THREAD).map_or(usual.thread, |size| size.0),
    }))
}
