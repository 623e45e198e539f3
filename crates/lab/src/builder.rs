//! A lab from code: the builder says what a lab file says, by the same keys and in the same small languages, and the same
//! reader makes a [`Lab`] of it.
//!
//! What the builder was told is written down as a lab file ([`LabBuilder::text`]), so that a lab from code can be kept, swept
//! and played by the command as any other. Each mistake has its place in that text, and says which call it came from.

mod fields;
mod tables;
mod value;

pub use fields::Fields;
pub use tables::{Host, L3Switch, Medium, Router, Switch};
pub use value::Value;

use core::time::Duration;
use std::path::PathBuf;

use fields::Page;
use septet_language::mistake::{Mistake, Mistakes};

use crate::lab::Lab;

impl Lab {
    /// A lab from code, by its name.
    ///
    /// ```
    /// use core::time::Duration;
    /// use septet_lab::Lab;
    ///
    /// let lab = Lab::builder("shop")
    ///     .stop(Duration::from_secs(30))
    ///     .medium("wan", |m| m.rate("20mbit").delay(Duration::from_millis(25)).loss("0.5%"))
    ///     .link("client -- s1 : wan")
    ///     .link("s1 -- web[1..2]")
    ///     .switch("s1", |s| s)
    ///     .host("web[1..2]", |h| h.service("http", |http| http.set("body", "20kb").set("think", "2ms")))
    ///     .host("client", |h| h.tcp("reno").run("at 1s: curl http://web1/ --repeat 10"))
    ///     .fault("5s..6s: cut client--s1")
    ///     .expect("served", "client.http.ok = 10")
    ///     .build()?;
    /// assert_eq!(lab.nodes.len(), 4);
    ///
    /// let mistakes = Lab::builder("two").link("a -- b").host("a", |h| h.run("ping")).build().unwrap_err();
    /// let places: Vec<_> = mistakes.iter().map(|mistake| mistakes.place(mistake)).collect();
    /// assert_eq!(places, ["link 1 of the builder", "`run` 1 of host `a` of the builder"]);
    /// # Ok::<(), septet_lab::Mistakes>(())
    /// ```
    pub fn builder(name: impl Into<String>) -> LabBuilder {
        let name = name.into();
        LabBuilder { run: Fields::default().set("name", name.clone()), name, ..LabBuilder::default() }
    }
}

/// What a lab is to be; see [`Lab::builder`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct LabBuilder {
    name: String,
    run: Fields,
    media: Vec<(String, Fields)>,
    links: Vec<String>,
    /// Of each node the name of its section, its name, and what is said of it.
    nodes: Vec<(&'static str, String, Fields)>,
    faults: Vec<String>,
    expectations: Vec<(String, String)>,
    sweep: Vec<(String, Vec<Value>)>,
    beside: PathBuf,
}

impl LabBuilder {
    /// What it shows.
    pub fn description(self, text: impl Into<String>) -> Self {
        self.set("description", text.into())
    }

    /// Where all randomness comes from (1).
    pub fn seed(self, seed: u64) -> Self {
        self.set("seed", seed)
    }

    /// When a run ends (60 s).
    pub fn stop(self, after: impl Into<Value>) -> Self {
        self.set("stop", after)
    }

    /// How often connections and queues of all nodes are looked at.
    pub fn sample(self, every: Duration) -> Self {
        self.set("sample", every)
    }

    /// The versions of IP that hosts and routers speak: `4`, `6` or `dual` (`4`).
    pub fn ip(self, versions: &str) -> Self {
        self.set("ip", versions)
    }

    /// A key of the table `lab`.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.run = self.run.set(key, value);
        self
    }

    /// A table below the table `lab`: the options of `tcp` for every host.
    pub fn table(mut self, key: &str, of: impl FnOnce(Fields) -> Fields) -> Self {
        self.run = self.run.table(key, of);
        self
    }

    /// What one kind of link is made of, by name.
    pub fn medium(mut self, name: impl Into<String>, of: impl FnOnce(Medium) -> Medium) -> Self {
        self.media.push((name.into(), of(Medium::default()).into()));
        self
    }

    /// Links, as a string of the key `links`: `client -- s1`, `s2 -- lb, web[1..3] : wan`, `a -> b : rate 256kbit`.
    pub fn link(mut self, text: impl Into<String>) -> Self {
        self.links.push(text.into());
        self
    }

    /// A host, or as `web[1..3]` several of one kind.
    pub fn host(self, name: impl Into<String>, of: impl FnOnce(Host) -> Host) -> Self {
        self.node("host", name, of(Host::default()).into())
    }

    /// A host that forwards, or several.
    pub fn router(self, name: impl Into<String>, of: impl FnOnce(Router) -> Router) -> Self {
        self.node("router", name, of(Router::default()).into())
    }

    /// A learning switch, or several.
    pub fn switch(self, name: impl Into<String>, of: impl FnOnce(Switch) -> Switch) -> Self {
        self.node("switch", name, of(Switch::default()).into())
    }

    /// A switch that routes between its VLANs, or several.
    pub fn l3switch(self, name: impl Into<String>, of: impl FnOnce(L3Switch) -> L3Switch) -> Self {
        self.node("l3switch", name, of(L3Switch::default()).into())
    }

    /// A repeater, or several.
    pub fn hub(self, name: impl Into<String>) -> Self {
        self.node("hub", name, Fields::default())
    }

    fn node(mut self, kind: &'static str, name: impl Into<String>, fields: Fields) -> Self {
        self.nodes.push((kind, name.into(), fields));
        self
    }

    /// Something that goes wrong: `5s..7s: loss 20% on r1--r2`.
    pub fn fault(mut self, text: impl Into<String>) -> Self {
        self.faults.push(text.into());
        self
    }

    /// What the run must show, by name: `client.http.ok >= 195`.
    pub fn expect(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.expectations.push((name.into(), text.into()));
        self
    }

    /// Values to try for a key, by its path: `media.wan.loss`.
    pub fn sweep<V: Into<Value>>(mut self, path: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        self.sweep.push((path.into(), values.into_iter().map(Into::into).collect()));
        self
    }

    /// The directory of the files that the lab names (the working directory).
    pub fn beside(mut self, directory: impl Into<PathBuf>) -> Self {
        self.beside = directory.into();
        self
    }

    /// The lab file that says the same.
    pub fn text(&self) -> String {
        self.page().text
    }

    fn page(&self) -> Page {
        let mut page = Page::default();
        page.table(&["lab"], "the lab", &self.run);
        for (name, fields) in &self.media {
            page.table(&["media", name], &format!("medium `{name}`"), fields);
        }
        page.list("topology", "links", "link", &self.links);
        for (kind, name, fields) in &self.nodes {
            page.table(&[kind, name], &format!("{kind} `{name}`"), fields);
        }
        if !self.faults.is_empty() {
            page.list("faults", "script", "fault", &self.faults);
        }
        let values = |value: &[Value]| Value::from(value.to_vec());
        page.named("expect", "expectation", self.expectations.iter().map(|(n, t)| (n.as_str(), t.as_str().into())));
        page.named("sweep", "sweep", self.sweep.iter().map(|(path, all)| (path.as_str(), values(all))));
        page
    }

    /// The lab, as [`Lab::parse`] makes it of the file that says the same.
    ///
    /// # Errors
    /// All mistakes at once; [`Mistakes::place`] names the call that each came from.
    pub fn build(self) -> Result<Lab, Mistakes> {
        let page = self.page();
        let name: String = self.name.chars().map(|c| if c == '/' || c == '\\' { '-' } else { c }).collect();
        let source = self.beside.join(format!("builder of {name}"));
        let source = source.to_string_lossy();
        if !page.twice.is_empty() {
            let mut mistakes = Mistakes::new(&source, &page.text);
            for (span, what) in &page.twice {
                mistakes.push(Mistake::new(
                    "duplicate-node",
                    span.clone(),
                    format!("{what} is told of twice"),
                    "again",
                ));
            }
            return Err(mistakes.told_by(page.places).sorted());
        }
        Lab::parse(&source, &page.text).map_err(|mistakes| mistakes.told_by(page.places))
    }
}
