//! What may stand behind a key, from Rust's own types.

use core::time::Duration;
use std::net::IpAddr;

use septet_core::{Bytes, Rate};
use septet_network::Cidr;

/// A value of a lab file: a text as the file has it, or a number, a time, a rate or a size with its unit.
#[derive(Clone, Debug)]
pub struct Value(pub(super) toml_edit::Value);

macro_rules! from {
    ($($type:ty => |$value:ident| $made:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Self(toml_edit::Value::from($made))
            }
        })*
    };
}

from! {
    &str => |text| text;
    String => |text| text;
    bool => |on| on;
    i32 => |number| i64::from(number);
    u32 => |number| i64::from(number);
    u16 => |number| i64::from(number);
    i64 => |number| number;
    u64 => |number| i64::try_from(number).unwrap_or(i64::MAX);
    usize => |number| i64::try_from(number).unwrap_or(i64::MAX);
    f64 => |number| number;
    Duration => |time| written(time);
    Rate => |rate| format!("{}bit", rate.bits_per_sec());
    Bytes => |bytes| format!("{}b", bytes.0);
    IpAddr => |address| address.to_string();
    Cidr => |network| network.to_string();
}

impl<V: Into<Value>> From<Vec<V>> for Value {
    fn from(values: Vec<V>) -> Self {
        Self(toml_edit::Value::Array(values.into_iter().map(|value| value.into().0).collect()))
    }
}

impl<V: Into<Value>, const N: usize> From<[V; N]> for Value {
    fn from(values: [V; N]) -> Self {
        Self::from(Vec::from(values))
    }
}

/// A time with the largest unit that says it in whole numbers.
fn written(time: Duration) -> String {
    let nanos = time.as_nanos();
    let units: [(u128, &str); 4] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us"), (1, "ns")];
    let unit = units.iter().find(|(unit, _)| nanos.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{nanos}ns"), |(unit, name)| format!("{}{name}", nanos / unit))
}

#[cfg(test)]
mod tests {
    use septet_language::units;

    use super::*;

    #[test]
    fn a_time_is_read_as_it_was() {
        for nanos in [0, 1, 999, 1000, 1_500_000, 2_000_000_000, 86_400_000_000_001] {
            let time = Duration::from_nanos(nanos);
            assert_eq!(units::time(&written(time)), Ok(time), "{}", written(time));
        }
        assert_eq!(written(Duration::from_millis(1500)), "1500ms");
    }
}
