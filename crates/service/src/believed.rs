//! Addresses that a service believes when they speak for others: prefixes, and hosts by name.

use septet_language::document::Text;
use septet_language::schema::{Phrase, Texts};
use septet_language::units::Refusal;
use septet_language::words::{Word, Wrong};
use septet_network::{Prefix, PrefixError};

use crate::service::Reading;
use crate::site::{HostId, Site};

/// Who is believed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Believed {
    /// All addresses of these.
    pub prefixes: Vec<Prefix>,
    /// The addresses of these.
    pub hosts: Vec<HostId>,
}

/// The type of a key that names them.
pub(crate) const BELIEVED: Texts<Text> = Texts(Phrase::later("addresses", "10.0.1.0/24"));

impl Believed {
    /// Reads what stands under such a key.
    pub(crate) fn read(texts: &[Text], reading: &mut Reading<'_>) -> Self {
        let mut believed = Self::default();
        for text in texts {
            let added = (Word { text: &text.text, at: 0 }).split(",").try_for_each(|word| believed.add(word, reading));
            reading.or_report(text, added);
        }
        believed
    }

    fn add(&mut self, word: Word<'_>, reading: &Reading<'_>) -> Result<(), Wrong> {
        let as_prefix = match word.text.parse() {
            Ok(address) => Ok(Prefix::host(address)),
            Err(_) => word.text.parse::<Prefix>(),
        };
        match as_prefix {
            Ok(prefix) => self.prefixes.push(prefix),
            Err(e @ PrefixError::Length) => return Err(refused(word, &e)),
            Err(e) if word.text.contains('/') => return Err(refused(word, &e)),
            Err(_) => self.hosts.extend(reading.hosts.hosts(word)?),
        }
        Ok(())
    }

    /// All of them as prefixes, where the hosts are at `site`.
    pub(crate) fn at(&self, site: &dyn Site) -> Vec<Prefix> {
        let hosts = self.hosts.iter().flat_map(|host| site.addresses(*host)).map(Prefix::host);
        self.prefixes.iter().copied().chain(hosts).collect()
    }
}

fn refused(word: Word<'_>, error: &PrefixError) -> Wrong {
    let refusal = Refusal::new(format!("`{}` is not a prefix: {error}", word.text)).help("for example 10.0.1.0/24");
    Wrong::refused("prefix", word.range(), refusal)
}
