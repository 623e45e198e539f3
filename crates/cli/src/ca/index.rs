//! The database of what was issued, in the form of OpenSSL's: `index.txt`, one line a certificate, fields apart by tabs.

use std::time::Duration;

use septet_presentation::ca::Revoked;

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

const DAY: u64 = 86_400;

/// As UTCTime until 2049, as GeneralizedTime from then on (RFC 5280 §4.1.2.5).
fn moment(since_1970: Duration) -> String {
    let (days, rest) = (since_1970.as_secs() / DAY, since_1970.as_secs() % DAY);
    let (year, month, day) = civil(days);
    let year = if (1950..2050).contains(&year) { format!("{:02}", year % 100) } else { format!("{year:04}") };
    format!("{year}{month:02}{day:02}{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

fn read_moment(text: &str) -> Option<Duration> {
    let digits = text.strip_suffix('Z')?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match digits.len() {
        12 => {
            let year: u64 = digits[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        14 => (digits[..4].parse().ok()?, &digits[4..]),
        _ => return None,
    };
    let two = |at: usize| rest[at..at + 2].parse::<u64>().ok();
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    if !(1970..=9999).contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = (0..366).find_map(|n| {
        let first = days_before(year);
        (civil(first + n) == (year, month, day)).then_some(first + n)
    })?;
    Some(Duration::from_secs(days * DAY + hour * 3600 + minute * 60 + second))
}

/// How many days of 1970 and later come before this year.
fn days_before(year: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

/// Year, month and day of the day with this number, 1970-01-01 being 0.
fn civil(days: u64) -> (u64, u64, u64) {
    // No year has fewer days, so this is the right year or one after it.
    let mut year = 1970 + days / 365;
    while days_before(year) > days {
        year -= 1;
    }
    let mut rest = days - days_before(year);
    let leap = u64::from(days_before(year + 1) - days_before(year) == 366);
    for (month, length) in (1..).zip([31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
        if rest < length {
            return (year, month, rest + 1);
        }
        rest -= length;
    }
    (year + 1, 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
