//! The small languages inside a lab file: links, faults, expectations, times, command lines and rules of a packet filter.

use crate::file::read;

/// Lines of text, each in its place in a lab: a link's words, a fault, an expectation, a command line, a time, a size, a
/// word of a medium, a rule, and a port forward.
pub fn words(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    let mut next = |usual: &str| {
        let line = lines.next().filter(|l| !l.is_empty()).unwrap_or(usual);
        // A TOML string of the same characters.
        let mut quoted = String::from("\"");
        for c in line.chars() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
                c => quoted.push(c),
            }
        }
        quoted + "\""
    };
    let (link, fault, expectation) = (next("a -- b"), next("1s: cut a--b"), next("a.x >= 0"));
    let (command, stop, queue, rate) = (next("at 1s: ping b"), next("1s"), next("64kb"), next("10mbit"));
    let (rule, forward) = (next("accept"), next("tcp 80 -> a"));
    read(&format!(
        "[lab]\nstop = {stop}\n[media]\nm = {{ rate = {rate}, limit = {queue} }}\n[topology]\nlinks = [{link}, \"c -- d : m\"]\n\
         [host.a]\nrun = [{command}]\n\
         [host.a.firewall]\ninput = [{rule}]\n[host.b]\n[host.c]\n[router.d.nat]\nforward = [{forward}]\n[faults]\nscript = [{fault}]\n[expect]\nit = {expectation}\n"
    ));
}
