//! `metrics.csv`: every observation of every recorder, one a line.
//!
//! Columns: `node`, `name` (`protocol.what`, as in expectations), `t` (virtual time in seconds, nine decimals) and
//! `value` (seconds, bytes or a bare count). Rows are grouped by node and name, and within these in the order of time.

use std::io;

use septet_core::Recorder;

/// The first line of the file.
pub const HEADER: &str = "node,name,t,value";

/// Writes the recorders, given with the names of their nodes, as CSV (RFC 4180, lines ending in a bare line feed).
///
/// # Errors
/// The first error that a write met.
pub fn write<'a>(out: impl io::Write, recorders: impl IntoIterator<Item = (&'a str, &'a Recorder)>) -> io::Result<()> {
    use io::Write as _;
    let mut out = io::BufWriter::new(out);
    writeln!(out, "{HEADER}")?;
    for (node, recorder) in recorders {
        let node = field(node);
        for name in recorder.names() {
            let Some(series) = recorder.series(&name) else { continue };
            let name = field(&name);
            for sample in series.samples() {
                writeln!(out, "{node},{name},{},{}", sample.at, sample.value)?;
            }
        }
    }
    out.flush()
}

/// "Fields containing line breaks, double quotes, and commas should be enclosed in double-quotes."
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use septet_core::Instant;

    use super::*;

    #[test]
    fn grouped_and_quoted() {
        let (a, b) = (Recorder::new(), Recorder::new());
        a.record(Instant::from_millis(1_500), "http.time", 0.25);
        a.record(Instant::from_millis(1_500), "http.ok", 1.0);
        a.record(Instant::from_millis(1_600), "http.time", 1e-9);
        b.record(Instant::ZERO, "odd \"name\", with comma", 3.0);
        let mut out = Vec::new();
        write(&mut out, [("client", &a), ("b", &b)]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "node,name,t,value\n\
             client,http.ok,1.500000000,1\n\
             client,http.time,1.500000000,0.25\n\
             client,http.time,1.600000000,0.000000001\n\
             b,\"odd \"\"name\"\", with comma\",0.000000000,3\n"
        );
    }
}
