//! What a program wants to happen to the world that it is in: it is granted behind what the program does at that moment.

/// One thing that is to happen, to hosts by name.
#[derive(Debug)]
pub(crate) enum Wish {
    Partition(Vec<String>, Vec<String>),
    PartitionOneway(Vec<String>, Vec<String>),
    Repair(Vec<String>, Vec<String>),
    Hold(Vec<String>, Vec<String>),
    Release(Vec<String>, Vec<String>),
    Crash(Vec<String>),
    Restart(Vec<String>),
}
