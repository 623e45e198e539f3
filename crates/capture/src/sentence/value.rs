//! Values as a person reads them: addresses by name, times with three digits and a unit.

use core::fmt::Write as _;
use core::time::Duration;
use std::borrow::Cow;
use std::net::IpAddr;

use septet_core::{Bytes, Value};

use crate::Names;

/// `value` for a sentence.
pub(super) fn human(value: &Value, names: &Names) -> String {
    let mut out = String::new();
    write_human(value, names, &mut out);
    out
}

/// The same, added to `out`.
pub(super) fn write_human(value: &Value, names: &Names, out: &mut String) {
    // Writing to a string does not fail.
    let _ = match value {
        Value::Duration(d) => out.write_str(&duration(*d)),
        Value::Ip(ip) => match called(*ip, names) {
            Some(name) => out.write_str(name),
            None => write!(out, "{ip}"),
        },
        Value::Socket(socket) => match names.of_address(socket.ip()) {
            Some(name) => write!(out, "{name}:{}", socket.port()),
            None => write!(out, "{socket}"),
        },
        Value::Mac(mac) if *mac == [0xff; 6] => out.write_str("everyone"),
        Value::Mac(mac) => match names.of_mac(*mac) {
            Some(name) => out.write_str(name),
            None => write!(out, "{value}"),
        },
        Value::F64(v) => out.write_str(&digits(*v)),
        Value::Frame(id) => write!(out, "#{}", id.0),
        // What the program itself says holds nothing that a terminal would obey.
        Value::Text(Cow::Borrowed(text)) => out.write_str(text),
        Value::Text(Cow::Owned(text)) => out.write_str(&printable(text)),
        Value::U64(n) => {
            number(*n, out);
            Ok(())
        }
        Value::I64(n) => write!(out, "{n}"),
    };
}

/// `text` as a terminal may have it: control characters as escapes (`\u{1b}`).
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// Adds `n` in decimal digits: what every comment of a capture has several of.
pub(super) fn number(n: u64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(n));
}

/// Adds `value` to `out` in the form that a template asks for: `bytes` with a binary unit, `ip` without the name,
/// `hex`, `name` the bare station, `dns` a name without the root's dot.
pub(super) fn in_form(value: &Value, form: &str, names: &Names, out: &mut String) {
    let _ = match (form, value) {
        ("bytes", Value::U64(n)) => write!(out, "{}", Bytes(*n)),
        ("hex", Value::U64(n)) => write!(out, "{n:#x}"),
        ("ip", Value::Ip(_) | Value::Socket(_) | Value::Mac(_)) => write!(out, "{value}"),
        ("name", _) => out.write_str(&station(value, names)),
        ("dns", Value::Text(name)) if name.len() > 1 => out.write_str(&printable(name.trim_end_matches('.'))),
        ("percent", Value::F64(v)) => write!(out, "{} %", digits(v * 100.0)),
        _ => return write_human(value, names, out),
    };
}

/// The station that `value` names, without a port.
pub(super) fn station(value: &Value, names: &Names) -> String {
    match value {
        Value::Socket(socket) => address(socket.ip(), names),
        Value::Text(text) => {
            // `lb:443` or an address in text.
            let bare = text.rsplit_once(':').map_or(&**text, |(host, _)| host);
            match bare.parse::<IpAddr>().or_else(|_| text.parse()) {
                Ok(ip) => address(ip, names),
                Err(_) => printable(bare).into_owned(),
            }
        }
        _ => human(value, names),
    }
}

fn address(ip: IpAddr, names: &Names) -> String {
    called(ip, names).map_or_else(|| ip.to_string(), str::to_owned)
}

fn called(ip: IpAddr, names: &Names) -> Option<&str> {
    match ip {
        IpAddr::V4(v4) if v4.is_broadcast() => Some("everyone"),
        _ => names.of_address(ip),
    }
}

/// A span of time with three significant digits: `104 ms`, `1.23 s`, `40.1 µs`.
pub fn duration(d: Duration) -> String {
    let nanos = d.as_nanos();
    let (unit, scale) = match nanos {
        0 => return "0 s".to_owned(),
        1..1_000 => return format!("{nanos} ns"),
        // Rounding carries into the next unit half a digit early.
        1_000..999_500 => ("µs", 1e3),
        999_500..999_500_000 => ("ms", 1e6),
        _ => ("s", 1e9),
    };
    format!("{} {unit}", digits(nanos as f64 / scale))
}

fn digits(v: f64) -> String {
    let decimals = match v.abs() {
        a if a >= 99.95 => 0,
        a if a >= 9.995 => 1,
        a if a >= 0.995 || a == 0.0 => 2,
        _ => 4,
    };
    let text = format!("{v:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        let of = |nanos| duration(Duration::from_nanos(nanos));
        assert_eq!(
            [0, 999, 1_000, 12_304, 999_499, 999_500, 104_200_000, 999_600_000, 1_234_000_000, 75_000_000_000].map(of),
            ["0 s", "999 ns", "1 µs", "12.3 µs", "999 µs", "1 ms", "104 ms", "1 s", "1.23 s", "75 s"]
        );
    }

    #[test]
    fn no_text_commands_the_terminal() {
        let told = human(&Value::Text("curl http://\u{1b}[31mred\r\n".to_owned().into()), &Names::new());
        assert_eq!(told, r"curl http://\u{1b}[31mred\r\n");
        assert_eq!(station(&Value::Text("\u{1b}[2J".to_owned().into()), &Names::new()), r"\u{1b}[2J");
    }

    #[test]
    fn addresses_are_called_by_name() {
        let mut names = Names::new();
        names.station(septet_core::StationId(3), "lb");
        names.address(septet_core::StationId(3), septet_core::Port(0), "10.0.2.2".parse().unwrap());
        let socket = Value::Socket("10.0.2.2:443".parse().unwrap());
        assert_eq!(human(&socket, &names), "lb:443");
        let mut bare = String::new();
        in_form(&socket, "ip", &names, &mut bare);
        assert_eq!(bare, "10.0.2.2:443");
        assert_eq!(station(&Value::Text("10.0.2.2:443".into()), &names), "lb");
        assert_eq!(station(&Value::Text("web1:80".into()), &names), "web1");
    }
}
