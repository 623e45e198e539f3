//! Zone files: the master format of RFC 1035 §5, with `$TTL` (RFC 2308 §4) and records of unknown types (RFC 3597 §5).

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::zone::{Zone, ZoneError};
use fields::rdata;
use lexer::{Entry, Lexer, Token};

mod fields;
mod lexer;

/// The largest file, and the most bytes of all that a zone includes.
pub const LARGEST: usize = 64 << 20;
/// The most records of a zone.
const MOST_RECORDS: usize = 1 << 20;
/// How deep files include others, and how many.
const DEEPEST: usize = 8;
const MOST_FILES: usize = 256;

/// A place in a zone file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file.
    pub file: Arc<str>,
    /// Its line, from 1.
    pub line: u32,
    /// The byte of that line, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What is wrong with a zone file, where, and how to mend it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneFileError {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub reason: String,
    /// What to write instead.
    pub mend: Option<String>,
}

impl fmt::Display for ZoneFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)?;
        self.mend.as_ref().map_or(Ok(()), |mend| write!(f, " ({mend})"))
    }
}

impl std::error::Error for ZoneFileError {}

/// Reads the zone `origin` from the bytes of the file that is called `file`; `include` gives the bytes of a file that it
/// includes, by the name that stands there, or says why it may not be read.
///
/// # Errors
/// The first mistake.
///
/// ```
/// use septet_application::dns::read_zone;
/// let text = b"$TTL 1h\n@ SOA ns.@ hostmaster 1 1d 2h 4w 5m\n  NS ns\nns A 192.0.2.53\n";
/// let error = read_zone("shop.test", "shop.zone", text, &mut |_| Err("no such file".to_owned())).unwrap_err();
/// assert_eq!(error.place.to_string(), "shop.zone:2:7", "`ns.@` is no name");
/// ```
pub fn read_zone(
    origin: &str,
    file: &str,
    text: &[u8],
    include: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<Zone, ZoneFileError> {
    let start = Place { file: file.into(), line: 1, column: 1 };
    let wrong = |place: &Place, why: ZoneError| ZoneFileError {
        mend: mend_of(&why),
        reason: why.to_string(),
        place: place.clone(),
    };
    let mut name = Zone::awaited(origin).map_err(|why| wrong(&start, why))?.origin().clone();
    name.set_fqdn(true);
    let mut reader =
        Reader { include, records: Vec::new(), places: Vec::new(), files: 0, bytes: 0, ttl: None, last_ttl: None };
    reader.file(&start, text, name.clone(), 0)?;
    let Reader { records, places, .. } = reader;
    Zone::of_records(name, records).map_err(|(at, why)| wrong(at.and_then(|at| places.get(at)).unwrap_or(&start), why))
}

fn mend_of(why: &ZoneError) -> Option<String> {
    let mend = match why {
        ZoneError::Name(..) => "labels of 1 to 63 bytes, joined by dots, 255 in all",
        ZoneError::OutOfZone(_) => "a name without a dot at its end is relative to the origin",
        ZoneError::NoSoa => "@ SOA ns hostmaster 1 1d 2h 4w 5m",
        ZoneError::NoServers => "@ NS ns",
        ZoneError::CnameAndOther(_) | ZoneError::SecondAlias(_) => "a name with a CNAME has that one record alone",
        ZoneError::LongText(_) => "write several strings, each between quotation marks",
        ZoneError::SecondSoa | ZoneError::SoaElsewhere(_) => "a zone has one SOA record, at its origin",
    };
    Some(mend.to_owned())
}

/// Why something that stands at a token will not do, and the mend.
type Wrong = (String, Option<&'static str>);

struct Reader<'i> {
    include: &'i mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    records: Vec<Record>,
    /// Where each of the records stands.
    places: Vec<Place>,
    files: usize,
    bytes: usize,
    /// What `$TTL` says, and the last TTL that a record said.
    ttl: Option<u32>,
    last_ttl: Option<u32>,
}

impl Reader<'_> {
    fn file(&mut self, at: &Place, text: &[u8], mut origin: Name, depth: usize) -> Result<(), ZoneFileError> {
        self.files += 1;
        self.bytes += text.len();
        if self.bytes > LARGEST || self.files > MOST_FILES || depth > DEEPEST {
            return Err(ZoneFileError {
                place: at.clone(),
                reason: format!(
                    "a zone has at most {LARGEST} bytes in {MOST_FILES} files, each within {DEEPEST} others"
                ),
                mend: Some("see whether a file includes itself".to_owned()),
            });
        }
        let mut lexer = Lexer::new(at.file.clone(), text);
        let mut owner: Option<Name> = None;
        while let Some(entry) = lexer.entry()? {
            let Some(first) = entry.tokens.first() else { continue };
            match first.directive() {
                None => {
                    let record = self.record(&entry, &origin, &mut owner)?;
                    if self.records.len() == MOST_RECORDS {
                        return Err(first.wrong((format!("a zone has at most {MOST_RECORDS} records"), None)));
                    }
                    self.places.push(first.place.clone());
                    self.records.push(record);
                }
                Some("$ORIGIN") => {
                    let [_, name] = &entry.tokens[..] else {
                        return Err(first.wrong(("`$ORIGIN` takes a name".into(), Some("$ORIGIN sub.example.test."))));
                    };
                    origin = name.name(&origin).map_err(|why| name.wrong(why))?;
                }
                Some("$TTL") => {
                    let [_, ttl] = &entry.tokens[..] else {
                        return Err(first.wrong(("`$TTL` takes a time".into(), Some("$TTL 1h"))));
                    };
                    let seconds = ttl.ttl().ok_or_else(|| ttl.wrong(not_a_time(ttl)))?;
                    self.ttl = Some(seconds);
                }
                Some("$INCLUDE") => self.included(first, &entry, &origin, depth)?,
                Some(other) => {
                    let reason = format!("the directive `{other}` is not known");
                    return Err(first.wrong((reason, Some("there are $ORIGIN, $TTL and $INCLUDE"))));
                }
            }
        }
        Ok(())
    }

    /// RFC 1035 §5.1: "$INCLUDE … inserts the named file into the current file"; and "a $INCLUDE entry never changes the
    /// relative origin of the parent file".
    fn included(&mut self, first: &Token, entry: &Entry, origin: &Name, depth: usize) -> Result<(), ZoneFileError> {
        let (file, origin) = match &entry.tokens[..] {
            [_, file] => (file, origin.clone()),
            [_, file, name] => (file, name.name(origin).map_err(|why| name.wrong(why))?),
            _ => {
                let reason = "`$INCLUDE` takes a file, and perhaps an origin".to_owned();
                return Err(first.wrong((reason, Some("$INCLUDE hosts.zone sub.example.test."))));
            }
        };
        let named = String::from_utf8(file.text().map_err(|why| file.wrong(why))?)
            .map_err(|_| file.wrong(("the name of the file is not UTF-8".to_owned(), None)))?;
        let text = (self.include)(&named).map_err(|why| {
            file.wrong((format!("`{named}`: {why}"), Some("a file in the directory of the zone file, or below it")))
        })?;
        let inner = Place { file: named.into(), line: 1, column: 1 };
        let place = if depth >= DEEPEST { file.place.clone() } else { inner };
        self.file(&place, &text, origin, depth + 1)
    }

    fn record(&mut self, entry: &Entry, origin: &Name, owner: &mut Option<Name>) -> Result<Record, ZoneFileError> {
        let mut tokens = entry.tokens.iter();
        let first = &entry.tokens[0];
        if entry.owner == lexer::Owner::Named {
            // The check on the length above keeps this from running dry.
            *owner = Some(first.name(origin).map_err(|why| first.wrong(why))?);
            tokens.next();
        }
        let Some(owner) = owner else {
            let reason = "a record without an owner, and there is none above it".to_owned();
            return Err(first.wrong((reason, Some("begin the line with a name, or `@` for the origin"))));
        };
        // "[<TTL>] [<class>] <type> <RDATA>" or "[<class>] [<TTL>] <type> <RDATA>".
        let (mut ttl, mut class) = (None, None);
        let (token, kind) = loop {
            let last = entry.tokens.last().unwrap_or(first);
            let Some(token) = tokens.next() else {
                return Err(last.wrong(("the record has no type".to_owned(), Some("NAME [TTL] [IN] TYPE DATA"))));
            };
            if let Some(seconds) = token.ttl().filter(|_| ttl.is_none()) {
                ttl = Some(seconds);
            } else if let Some(is) = token.class().filter(|_| class.is_none()) {
                if is != 1 {
                    return Err(token.wrong(("only the class IN is served".to_owned(), Some("IN"))));
                }
                class = Some(is);
            } else if let Some(kind) = token.kind() {
                break (token, kind);
            } else {
                let reason = format!("`{}` is no type of record, class or time", token.shown());
                return Err(token.wrong((reason, Some("for an unknown type TYPE65280 \\# 2 abcd (RFC 3597)"))));
            }
        };
        let rest = &entry.tokens[entry.tokens.len() - tokens.len()..];
        let data = rdata(token, kind, rest, origin)?;
        let ttl = match (ttl, self.ttl, &data) {
            (Some(ttl), ..) => {
                self.last_ttl = Some(ttl);
                ttl
            }
            (None, Some(ttl), _) => ttl,
            // RFC 1035 §5.1: "Omitted class and TTL values are default to the last explicitly stated values."
            (None, None, _) if self.last_ttl.is_some() => self.last_ttl.unwrap_or_default(),
            // RFC 2308 §4 gives MINIMUM another meaning; before, it was this one.
            (None, None, RData::SOA(soa)) => {
                self.last_ttl = Some(soa.minimum);
                soa.minimum
            }
            _ => {
                let reason = "nobody says how long the record may be kept".to_owned();
                return Err(token.wrong((reason, Some("$TTL 1h at the beginning of the file"))));
            }
        };
        Ok(Record::from_rdata(owner.clone(), ttl, data))
    }
}

fn not_a_time(token: &Token) -> Wrong {
    (format!("`{}` is no time", token.shown()), Some("seconds up to 2147483647, or 1w2d3h4m5s"))
}

/// The zones of a directory of files, for tests and fuzzers: what includes what, without a disk.
#[derive(Clone, Default, Debug)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Memory {
    /// What [`read_zone`] asks for.
    ///
    /// # Errors
    /// That there is no such file.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        self.0.get(name).cloned().ok_or_else(|| "there is no such file".to_owned())
    }
}

/// A record whose data the codec takes as they are: none at all too (`\# 0`), which `NULL::with` does not.
fn opaque(code: RecordType, data: Vec<u8>) -> RData {
    let mut rdata = NULL::new();
    rdata.anything = data;
    RData::Unknown { code, rdata }
}

#[cfg(test)]
mod tests;
