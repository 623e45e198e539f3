//! The database of what was issued, in the form of OpenSSL's: `index.txt`, one line a certificate, fields apart by tabs.

use std::time::Duration;

use septet_presentation::ca::Revoked;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime};

/// One certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// When it expires, as the time since 1970-01-01T00:00:00Z.
    pub(super) until: Duration,
    /// Since when it is revoked, and why.
    pub(super) revoked: Option<(Duration, String)>,
    /// Hexadecimal digits, in capitals.
    pub(super) serial: String,
    /// `/CN=www.shop.test`.
    pub(super) subject: String,
}

/// Every certificate, in the order in which they were issued.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Index(pub(super) Vec<Entry>);

impl Index {
    /// Reads it.
    ///
    /// # Errors
    /// The line that is not one, and why.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let entry = |(i, line): (usize, &str)| read_line(line).map_err(|why| format!("line {}: {why}", i + 1));
        text.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        let line = |entry: &Entry| {
            let Entry { until, revoked, serial, subject } = entry;
            let (status, since) = match revoked {
                None => ('V', String::new()),
                Some((since, reason)) if reason == "unspecified" => ('R', moment(*since)),
                Some((since, reason)) => ('R', format!("{},{reason}", moment(*since))),
            };
            format!("{status}\t{}\t{since}\t{serial}\tunknown\t{subject}\n", moment(*until))
        };
        self.0.iter().map(line).collect()
    }

    /// The certificate with this serial number.
    pub(super) fn find(&mut self, serial: &str) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.serial == serial)
    }

    /// What is revoked, for a list.
    pub(super) fn revoked(&self) -> Vec<Revoked> {
        let of = |entry: &Entry| {
            let (since, reason) = entry.revoked.clone()?;
            Some(Revoked { serial: entry.serial.clone(), since, reason })
        };
        self.0.iter().filter_map(of).collect()
    }
}

fn read_line(line: &str) -> Result<Entry, String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [status, until, since, serial, _, subject] = fields[..] else {
        return Err(format!("{} fields, expected 6 apart by tabs", fields.len()));
    };
    let until = read_moment(until).ok_or_else(|| format!("`{until}` is not a moment such as 301231235959Z"))?;
    // OpenSSL writes `E` for what `openssl ca -updatedb` found expired.
    let revoked = match status {
        "V" | "E" if since.is_empty() => None,
        "R" => {
            let (when, reason) = since.split_once(',').unwrap_or((since, "unspecified"));
            let when = read_moment(when).ok_or_else(|| format!("`{when}` is not a moment such as 301231235959Z"))?;
            Some((when, reason.to_owned()))
        }
        _ => return Err(format!("`{status}` is not V, R or E with what belongs to it")),
    };
    if serial.is_empty() || !serial.len().is_multiple_of(2) || !serial.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!("`{serial}` is not a serial number"));
    }
    Ok(Entry { until, revoked, serial: serial.to_ascii_uppercase(), subject: subject.to_owned() })
}

/// As UTCTime until 2049, as GeneralizedTime from then on (RFC 5280 §4.1.2.5).
fn moment(since_1970: Duration) -> String {
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    // The latest that either form can say.
    let latest = PrimitiveDateTime::MAX.assume_utc();
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(latest);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let year = if (1950..2050).contains(&year) { format!("{:02}", year % 100) } else { format!("{year:04}") };
    format!("{year}{month:02}{day:02}{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second())
}

fn read_moment(text: &str) -> Option<Duration> {
    let digits = text.strip_suffix('Z')?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match digits.len() {
        12 => {
            let year: i32 = digits[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        14 => (digits[..4].parse().ok()?, &digits[4..]),
        _ => return None,
    };
    let two = |at: usize| rest[at..at + 2].parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(two(0)?).ok()?, two(2)?).ok()?;
    let at = date.with_hms(two(4)?, two(6)?, two(8)?).ok()?.assume_utc();
    // Nothing was issued before 1970.
    u64::try_from(at.unix_timestamp()).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn there_and_back() {
        let text = "V\t300101000000Z\t\t4F00AB\tunknown\t/CN=www.shop.test\n\
                    R\t20510228235959Z\t270301120000Z,keyCompromise\tAA\tunknown\t/CN=a\n\
                    R\t280229000000Z\t270301120000Z\tAB\tunknown\t/CN=b\n";
        let index = Index::read(text).unwrap();
        assert_eq!(index.text(), text);
        assert_eq!(index.0[0].until, Duration::from_secs(1_893_456_000));
        assert_eq!(index.revoked().iter().map(|r| &*r.reason).collect::<Vec<_>>(), ["keyCompromise", "unspecified"]);
    }

    #[test]
    fn every_day_comes_back() {
        for day in (0..2_900_000).step_by(13) {
            let at = Duration::from_secs(day * DAY + 86_399);
            assert_eq!(read_moment(&moment(at)), Some(at), "{}", moment(at));
        }
    }

    #[test]
    fn nonsense_is_named_by_its_line() {
        for bad in [
            "V",
            "V\t300101000000Z\t\t4F0\tunknown\t/CN=a",
            "V\t301301000000Z\t\t4F\tunknown\t/CN=a",
            "V\t290229000000Z\t\t4F\tunknown\t/CN=a",
            "V\t300101000000Z\t270301120000Z\t4F\tunknown\t/CN=a",
            "X\t300101000000Z\t\t4F\tunknown\t/CN=a",
            "R\t300101000000Z\t\t4F\tunknown\t/CN=a",
            "V\té0010100000Z\t\t4F\tunknown\t/CN=a",
        ] {
            let error = Index::read(&format!("V\t300101000000Z\t\t4F\tunknown\t/CN=a\n{bad}\n")).unwrap_err();
            assert!(error.starts_with("line 2: "), "{bad}: {error}");
        }
    }
}
