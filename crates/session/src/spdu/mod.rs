//! The SPDUs of ISO session, coded and decoded (X.225 §8): number, length, parameters, user information.
//!
//! ```
//! use septet_session::spdu::{Kind, Name, Serial, Spdu, build, parse};
//! let point = Spdu::new(Kind::MinorSyncPoint).with_serial(Serial::new(7).unwrap());
//! let tsdu = build(&[point.clone()]);
//! // Category 2: an empty GIVE TOKENS leads it.
//! assert_eq!(tsdu, [1, 0, 49, 3, 42, 1, b'7']);
//! assert_eq!(parse(&tsdu.into()).unwrap(), [Spdu::new(Kind::GiveTokens), point]);
//! ```

mod kind;
mod name;
mod value;

use bytes::{Buf as _, Bytes};

use crate::malformed::Malformed;
pub use kind::{Category, FORMS, Form, Information, Kind};
pub use name::{Group, Name};
pub use value::{Resync, Serial, Setting, Tokens, Units, disconnect, refusal};

/// The most octets of parameters that an SPDU has: its length indicator ends there.
pub const MAX_LENGTH: usize = 65_535;

/// An SPDU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spdu {
    kind: Kind,
    /// In the order of the kind's row.
    parameters: Vec<(Name, Bytes)>,
    information: Bytes,
}

impl Spdu {
    /// One without parameters.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, parameters: Vec::new(), information: Bytes::new() }
    }

    /// What it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// With a parameter.
    ///
    /// # Panics
    /// Where the kind has no such parameter, or the parameter no such length: both are the caller's to know.
    #[must_use]
    pub fn with(mut self, name: Name, value: impl Into<Bytes>) -> Self {
        let (form, value) = (self.kind.form(), value.into());
        let place = |name| form.may.iter().position(|n| *n == name);
        let at = place(name).unwrap_or_else(|| panic!("{name:?} in {}", form.name));
        assert!(name.lengths().contains(&value.len()), "{name:?} of {} octets", value.len());
        self.parameters.retain(|(n, _)| *n != name);
        let before = self.parameters.iter().take_while(|(n, _)| place(*n) < Some(at)).count();
        self.parameters.insert(before, (name, value));
        self
    }

    /// With a parameter of one octet.
    #[must_use]
    pub fn with_octet(self, name: Name, octet: u8) -> Self {
        self.with(name, vec![octet])
    }

    /// With a serial number.
    #[must_use]
    pub fn with_serial(self, serial: Serial) -> Self {
        self.with(Name::SerialNumber, serial.digits())
    }

    /// With user data, in the parameter where its kind has them. Nought octets are none.
    #[must_use]
    pub fn with_user_data(self, data: Bytes) -> Self {
        if data.is_empty() {
            return self;
        }
        let may = self.kind.form().may;
        // §8.3.1.18: user data of a CONNECT "up to 512 octets", else Extended User Data.
        let name = if may.contains(&Name::SyncUserData) {
            Name::SyncUserData
        } else if may.contains(&Name::ExtendedUserData) && data.len() > 512 {
            Name::ExtendedUserData
        } else {
            Name::UserData
        };
        self.with(name, data)
    }

    /// With user information after the parameters.
    #[must_use]
    pub fn with_information(mut self, bytes: Bytes) -> Self {
        debug_assert_eq!(self.kind.form().information, Information::Follows);
        self.information = bytes;
        self
    }

    /// A parameter's octets.
    pub fn get(&self, name: Name) -> Option<&Bytes> {
        self.parameters.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// A parameter of one octet.
    pub fn octet(&self, name: Name) -> Option<u8> {
        self.get(name).and_then(|value| value.first().copied())
    }

    /// The serial number of `name`.
    pub fn serial(&self, name: Name) -> Option<Serial> {
        self.get(name).and_then(|digits| Serial::from_digits(digits))
    }

    /// The tokens of its Token Item.
    pub fn tokens(&self) -> Tokens {
        Tokens(self.octet(Name::TokenItem).unwrap_or_default()) & Tokens::ALL
    }

    /// The functional units that it names.
    pub fn units(&self) -> Option<Units> {
        self.get(Name::SessionRequirements).map(|v| Units(u16::from_be_bytes([v[0], v[1]])))
    }

    /// Its user data, wherever its kind has them.
    pub fn user_data(&self) -> Bytes {
        let names = [Name::UserData, Name::ExtendedUserData, Name::SyncUserData];
        names.into_iter().find_map(|name| self.get(name)).cloned().unwrap_or_default()
    }

    /// The user information after the parameters.
    pub fn information(&self) -> &Bytes {
        &self.information
    }

    /// Its octets without the user information: SI, LI, parameters.
    pub fn head(&self) -> Vec<u8> {
        let mut content = Vec::new();
        let mut at = 0;
        while let Some((name, _)) = self.parameters.get(at) {
            let Some(group) = name.group() else {
                put(&mut content, name.code(), &self.parameters[at].1);
                at += 1;
                continue;
            };
            let mut inner = Vec::new();
            while let Some((name, value)) = self.parameters.get(at).filter(|(n, _)| n.group() == Some(group)) {
                put(&mut inner, name.code(), value);
                at += 1;
            }
            put(&mut content, group.code(), &inner);
        }
        let mut bytes = Vec::with_capacity(content.len() + 4);
        put(&mut bytes, self.kind.form().si, &content);
        bytes
    }
}

/// §8.2.5: a length below 255 in one octet, a longer one in two after an octet of ones.
fn put(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    bytes.push(code);
    match u8::try_from(value.len()) {
        Ok(len) if len < 255 => bytes.push(len),
        _ => {
            let [high, low] = (value.len().min(MAX_LENGTH) as u16).to_be_bytes();
            bytes.extend([255, high, low]);
        }
    }
    bytes.extend_from_slice(value);
}

/// The octets of a TSDU up to the user information of its last SPDU: `spdus` is one of category 0 or 1, or one of category
/// 2, which an empty GIVE TOKENS leads unless one of category 0 stands before it.
pub fn heads(spdus: &[Spdu]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (n, spdu) in spdus.iter().enumerate() {
        if n == 0 && spdu.kind.form().category == Category::Two {
            bytes = Spdu::new(Kind::GiveTokens).head();
        }
        bytes.extend(spdu.head());
    }
    bytes
}

/// A TSDU of SPDUs, as [`heads`] has it, with the user information.
pub fn build(spdus: &[Spdu]) -> Vec<u8> {
    let mut bytes = heads(spdus);
    if let Some(last) = spdus.last() {
        bytes.extend_from_slice(&last.information);
    }
    bytes
}

/// The SPDUs of a TSDU: one, or one of category 0 and one of category 2 (§6.3.7, basic concatenation).
///
/// # Errors
/// What is wrong, and where in the TSDU.
pub fn parse(tsdu: &Bytes) -> Result<Vec<Spdu>, Malformed> {
    let mut found: Vec<Spdu> = Vec::with_capacity(2);
    let mut at = 0;
    while at < tsdu.len() || found.is_empty() {
        let second = match found.first().map(|first| first.kind.form().category) {
            None => false,
            Some(Category::Zero) if found.len() == 1 => true,
            Some(_) => return Err(Malformed::new("TSDU", at, "an SPDU more than may stand there")),
        };
        let (spdu, end) = one(tsdu, at, second)?;
        at = end;
        found.push(spdu);
    }
    Ok(found)
}

/// Reads the SPDU at `at`, and tells where it ends.
fn one(tsdu: &Bytes, at: usize, second: bool) -> Result<(Spdu, usize), Malformed> {
    let Some(si) = tsdu.get(at) else { return Err(Malformed::new("TSDU", at, "it is empty")) };
    let (start, len) = length("SPDU", tsdu, at, tsdu.len())?;
    let content = tsdu.slice(start..start + len);
    let fits = |form: &&Form| {
        form.si == *si && (form.category == Category::Two) == second
            // ACTIVITY END is MAJOR SYNC POINT without a Sync Type Item, which would come first.
            && !(form.kind == Kind::MajorSyncPoint && content.first() != Some(&Name::SyncType.code()))
    };
    let Some(form) = FORMS.iter().find(fits) else {
        let place = if second { "after one of category 0" } else { "first in a TSDU" };
        return Err(Malformed::new("SPDU", at, format!("no SPDU {place} has the number {si}")));
    };
    let mut spdu = Spdu { kind: form.kind, parameters: Vec::new(), information: Bytes::new() };
    parameters(&mut spdu, form, tsdu, start, start + len, None)?;
    if let Some(missing) = form.must.iter().find(|name| spdu.get(**name).is_none()) {
        return Err(Malformed::new(form.name, at, format!("{} is missing", missing.as_str())));
    }
    let place = |name| form.may.iter().position(|n| *n == name);
    spdu.parameters.sort_by_key(|(name, _)| place(*name));
    let mut end = start + len;
    if form.information == Information::Follows {
        spdu.information = tsdu.clone();
        spdu.information.advance(end);
        end = tsdu.len();
    }
    Ok((spdu, end))
}

/// Where the value behind the code at `at` begins, and how long it is; it must end before `end`.
fn length(name: &'static str, bytes: &Bytes, at: usize, end: usize) -> Result<(usize, usize), Malformed> {
    let wrong = |why| Err(Malformed::new(name, at, why));
    let (start, len) = match bytes[at + 1..end] {
        [255, high, low, ..] => (at + 4, usize::from(u16::from_be_bytes([high, low]))),
        [255, ..] | [] => return wrong("its length is missing"),
        [len, ..] => (at + 2, usize::from(len)),
    };
    if len > end - start {
        return wrong("it is longer than what holds it");
    }
    Ok((start, len))
}

/// Reads the parameters from `at` to `end`, those of a group where one is given.
fn parameters(
    spdu: &mut Spdu,
    form: &Form,
    tsdu: &Bytes,
    mut at: usize,
    end: usize,
    group: Option<Group>,
) -> Result<(), Malformed> {
    while at < end {
        let wrong = |why: String| Malformed::new(form.name, at, why);
        let code = tsdu[at];
        let (start, len) = length(form.name, tsdu, at, end)?;
        let next = start + len;
        let of_form = |g: &&Group| g.code() == code && form.may.iter().any(|name| name.group() == Some(**g));
        if let Some(inner) = Group::ALL.iter().find(of_form).filter(|_| group.is_none()) {
            parameters(spdu, form, tsdu, start, next, Some(*inner))?;
        } else if let Some(name) = form.may.iter().copied().find(|n| n.code() == code && n.group() == group) {
            let value = tsdu.slice(start..next);
            if !name.lengths().contains(&len) {
                let lengths = name.lengths();
                let (least, most) = (lengths.start(), lengths.end());
                return Err(wrong(format!("{} is {len} octets long, not {least} to {most}", name.as_str())));
            }
            if spdu.get(name).is_some() {
                return Err(wrong(format!("{} comes twice", name.as_str())));
            }
            check(name, &value).map_err(wrong)?;
            spdu.parameters.push((name, value));
        } else if form.kind != Kind::Connect {
            // What a later version may propose in CONNECT is passed over; elsewhere it was never agreed.
            return Err(wrong(format!("it has no parameter {code}")));
        }
        at = next;
    }
    Ok(())
}

/// Whether a value is one that the parameter can have.
fn check(name: Name, value: &[u8]) -> Result<(), String> {
    let digits = matches!(
        name,
        Name::SerialNumber | Name::OldSerialNumber | Name::InitialSerialNumber | Name::SecondInitialSerialNumber
    );
    if digits && !value.is_empty() && Serial::from_digits(value).is_none() {
        return Err(format!("{} is no number in digits", name.as_str()));
    }
    if name == Name::ResyncType && Resync::from_octet(value[0]).is_none() {
        return Err(format!("{} is none of restart, abandon and set", name.as_str()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
