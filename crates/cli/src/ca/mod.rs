//! `septet ca`: a certificate authority on files, as a small firm or a laboratory needs one.

pub(crate) mod args;
mod index;
mod store;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use septet_presentation::ca::{self, CaError, Founding, Issuing, Leaf, Request, Signed, Usage};

use crate::exit::{Exit, Failure};
use crate::terminal::{Stdout, tell};
use args::{CaCommand, CrlArgs, InitArgs, IssueArgs, LeafArgs, RequestArgs, RevokeArgs, SignArgs};
use index::Entry;
use store::{Existing, Secrecy, Store};

const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn ca(command: &CaCommand) -> Result<Exit, Failure> {
    let told = match command {
        CaCommand::Init(args) => init(args)?,
        CaCommand::Issue(args) => issue(args)?,
        CaCommand::Request(args) => request(args)?,
        CaCommand::Sign(args) => sign(args)?,
        CaCommand::Revoke(args) => revoke(args)?,
        CaCommand::Crl(args) => crl(args)?,
        CaCommand::Show { what } => show(what)?,
    };
    let mut out = Stdout::new();
    write!(out, "{told}").and_then(|()| out.flush()).map_err(Failure::stdout)?;
    Ok(Exit::Ok)
}

fn now() -> Result<Duration, Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_err(|_| Failure::environment("the machine's clock stands before 1970"))
}

/// What was asked for cannot be done.
fn refused(error: CaError) -> Failure {
    Failure::run(error.to_string())
}

fn init(args: &InitArgs) -> Result<String, Failure> {
    let founding = |role: &str, days: u32| {
        Ok(Founding {
            name: format!("{} {role} CA", args.name),
            key: args.key.into(),
            now: now()?,
            life: DAY * days,
            permitted: args.permit.clone(),
        })
    };
    let (root, root_kept) = Issuing::found(&founding("Root", args.days)?).map_err(refused)?;
    let (_, kept) = root.found_below(&founding("Intermediate", args.days / 2)?).map_err(refused)?;
    store::found(
        &args.dir,
        &[
            ("root.pem", root_kept.certificate.as_bytes(), Secrecy::Public),
            ("root.key", root_kept.key.as_bytes(), Secrecy::Secret),
            ("intermediate.pem", kept.certificate.as_bytes(), Secrecy::Public),
            ("intermediate.key", kept.key.as_bytes(), Secrecy::Secret),
            ("index.txt", b"", Secrecy::Public),
            ("crlnumber", b"01\n", Secrecy::Public),
        ],
    )?;
    let dir = args.dir.display();
    tell!("septet: the intermediate signs from now on; {dir}/root.key is better kept elsewhere");
    Ok(format!(
        "root          {dir}/root.pem\n\
         intermediate  {dir}/intermediate.pem\n"
    ))
}

impl LeafArgs {
    fn leaf(&self, names: Vec<String>) -> Result<Leaf, Failure> {
        let usage = match (self.client, self.server) {
            (false, _) => Usage::Server,
            (true, false) => Usage::Client,
            (true, true) => Usage::Both,
        };
        Ok(Leaf { usage, life: DAY * self.days, ..Leaf::new(names, now()?) })
    }

    fn existing(&self) -> Existing {
        if self.force { Existing::IsReplaced } else { Existing::Stays }
    }
}

fn issue(args: &IssueArgs) -> Result<String, Failure> {
    let store = Store::open(&args.dir)?;
    let issuing = store.issuing("intermediate")?;
    let leaf = args.kind.leaf(args.names.clone())?;
    let (signed, key) = issuing.issue(&leaf, args.key.into()).map_err(refused)?;
    let stem = args.output.clone().unwrap_or_else(|| store.path("issued").join(file_stem(&args.names[0])));
    let (certificate, key_file) = (with_extension(&stem, "pem"), with_extension(&stem, "key"));
    let existing = args.kind.existing();
    free(&[&certificate, &key_file], existing)?;
    enter(&store, &signed)?;
    store::write(&key_file, key.as_bytes(), Secrecy::Secret, existing)?;
    store::write(&certificate, chain(&store, &signed)?.as_bytes(), Secrecy::Public, existing)?;
    Ok(format!("{}key          {}\n", issued(&certificate, &signed), key_file.display()))
}

fn request(args: &RequestArgs) -> Result<String, Failure> {
    let (request, key) = ca::request_with_new_key(&args.names, args.key.into()).map_err(refused)?;
    let stem = args.output.clone().unwrap_or_else(|| file_stem(&args.names[0]).into());
    let (request_file, key_file) = (with_extension(&stem, "csr"), with_extension(&stem, "key"));
    let existing = if args.force { Existing::IsReplaced } else { Existing::Stays };
    free(&[&request_file, &key_file], existing)?;
    store::write(&key_file, key.as_bytes(), Secrecy::Secret, existing)?;
    store::write(&request_file, request.as_bytes(), Secrecy::Public, existing)?;
    Ok(format!("request      {}\nkey          {}\n", request_file.display(), key_file.display()))
}

fn sign(args: &SignArgs) -> Result<String, Failure> {
    let store = Store::open(&args.dir)?;
    let issuing = store.issuing("intermediate")?;
    let in_file = |e: CaError| Failure::run(format!("{}: {e}", args.request.display()));
    let request = Request::from_pem(&store::read(&args.request)?).map_err(in_file)?;
    let is_allowed = |name: &&String| args.allow.iter().any(|allowed| ca::is_within(name, allowed));
    if !args.allow.is_empty()
        && let Some(stranger) = request.names().iter().find(|name| !is_allowed(name))
    {
        let allowed = args.allow.join(", ");
        return Err(Failure::run(format!(
            "{}: it asks for `{stranger}`, and only what is below {allowed} was allowed",
            args.request.display()
        )));
    }
    let leaf = args.kind.leaf(request.names().to_vec())?;
    let signed = issuing.sign(&leaf, &request).map_err(in_file)?;
    let default = || with_extension(&store.path("issued").join(file_stem(&request.names()[0])), "pem");
    let certificate = args.output.clone().unwrap_or_else(default);
    let existing = args.kind.existing();
    free(&[&certificate], existing)?;
    enter(&store, &signed)?;
    store::write(&certificate, chain(&store, &signed)?.as_bytes(), Secrecy::Public, existing)?;
    Ok(format!("{}names        {}\n", issued(&certificate, &signed), request.names().join(", ")))
}

fn issued(certificate: &Path, signed: &Signed) -> String {
    let Signed { serial, until, .. } = signed;
    format!(
        "certificate  {}\nserial       {serial}\nuntil        {}\n",
        certificate.display(),
        ca::date_and_time(*until)
    )
}

/// Fails before anything is signed where a file is in the way.
fn free(files: &[&Path], existing: Existing) -> Result<(), Failure> {
    let taken = files.iter().find(|file| existing == Existing::Stays && file.symlink_metadata().is_ok());
    taken.map_or(Ok(()), |file| Err(store::there(file)))
}

/// Enters a certificate into the database: it is known before anybody has it.
fn enter(store: &Store, signed: &Signed) -> Result<(), Failure> {
    let Signed { pem, serial, subject, until } = signed;
    let kept = store.path("certificates").join(format!("{serial}.pem"));
    store::write(&kept, pem.as_bytes(), Secrecy::Public, Existing::Stays)?;
    let mut index = store.index()?;
    index.0.push(Entry { until: *until, revoked: None, serial: serial.clone(), subject: subject.clone() });
    store.put_index(&index)
}

/// The certificate, and that of the intermediate behind it, as servers want them.
fn chain(store: &Store, signed: &Signed) -> Result<String, Failure> {
    let intermediate = store::read(&store.path("intermediate.pem"))?;
    Ok(format!("{}{}", signed.pem, String::from_utf8_lossy(&intermediate)))
}

/// `*.shop.test` and `fd00::1` are names of files nowhere, or not everywhere.
fn file_stem(name: &str) -> String {
    name.trim_end_matches('.').replace("*.", "wildcard.").replace(':', "_")
}

/// `www.shop.test` with `pem` is `www.shop.test.pem`: the name has an extension of its own only by its looks.
fn with_extension(stem: &Path, extension: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(format!(".{extension}"));
    name.into()
}

fn revoke(args: &RevokeArgs) -> Result<String, Failure> {
    let store = Store::open(&args.dir)?;
    let mut index = store.index()?;
    let file = Path::new(&args.what);
    let serial = if file.is_file() {
        let text = store::read(file)?;
        let serial = ca::serial_of(&text).map_err(|e| Failure::run(format!("{}: {e}", file.display())))?;
        let kept = store.path("certificates").join(format!("{serial}.pem"));
        let same = kept.is_file() && ca::is_same_certificate(&text, &store::read(&kept)?);
        if !same {
            return Err(Failure::run(format!(
                "{} was not issued by the authority in {}",
                file.display(),
                args.dir.display()
            )));
        }
        serial
    } else {
        let digits: String = args.what.chars().filter(|c| *c != ':').collect();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Failure::run(format!("`{}` is neither a file nor a serial number", args.what)));
        }
        digits.to_ascii_uppercase()
    };
    let entry = index.find(&serial).ok_or_else(|| {
        Failure::run(format!(
            "the authority in {} issued no certificate with the serial number {serial}",
            args.dir.display()
        ))
    })?;
    if let Some((since, reason)) = &entry.revoked {
        let since = ca::date_and_time(*since);
        return Err(Failure::run(format!("{serial} ({}) is revoked already, since {since}: {reason}", entry.subject)));
    }
    entry.revoked = Some((now()?, args.reason.clone()));
    let subject = entry.subject.clone();
    store.put_index(&index)?;
    tell!("septet: nobody knows of it before `septet ca crl {}` and until the list gets around", args.dir.display());
    Ok(format!("revoked      {serial}\nsubject      {subject}\nreason       {}\n", args.reason))
}

fn crl(args: &CrlArgs) -> Result<String, Failure> {
    let store = Store::open(&args.dir)?;
    let path = store.path("crlnumber");
    let text = String::from_utf8_lossy(&store::read(&path)?).into_owned();
    let number = u64::from_str_radix(text.trim(), 16).map_err(|_| {
        Failure::environment(format!("{}: `{}` is not a hexadecimal number", path.display(), text.trim()))
    })?;
    let (now, revoked) = (now()?, store.index()?.revoked());
    let next = now + DAY * args.days;
    let refused = |e: CaError| Failure::environment(format!("{}: {e}", store.path("index.txt").display()));
    let mut list = store.issuing("intermediate")?.revocations(number, now, next, &revoked).map_err(refused)?;
    // Who checks the whole chain needs the root's list as well, in which nothing stands.
    if store.path("root.key").is_file() {
        list.push_str(&store.issuing("root")?.revocations(number, now, next, &[]).map_err(refused)?);
    } else {
        tell!(
            "septet: {} is not there, so the list for the intermediate itself is left out",
            store.path("root.key").display()
        );
    }
    // The number is used up before the list is out: two lists never have the same.
    store::write(&path, format!("{:02X}\n", number + 1).as_bytes(), Secrecy::Public, Existing::IsReplaced)?;
    let own = store.path("crl.pem");
    store::write(&own, list.as_bytes(), Secrecy::Public, Existing::IsReplaced)?;
    if let Some(path) = &args.output {
        store::write(path, list.as_bytes(), Secrecy::Public, Existing::IsReplaced)?;
    }
    Ok(format!(
        "list         {}\nnumber       {number}\nrevoked      {}\nnext         {}\n",
        args.output.as_ref().unwrap_or(&own).display(),
        revoked.len(),
        ca::date_and_time(next)
    ))
}

fn show(what: &Path) -> Result<String, Failure> {
    let describe =
        |path: &Path| ca::describe(&store::read(path)?).map_err(|e| Failure::run(format!("{}: {e}", path.display())));
    if !what.is_dir() {
        return describe(what);
    }
    let store = Store::open(what)?;
    let mut text = format!(
        "Root: {}\nIntermediate: {}",
        describe(&store.path("root.pem"))?,
        describe(&store.path("intermediate.pem"))?
    );
    let list = store.path("crl.pem");
    if list.is_file() {
        let (number, next) = ca::list_number(&store::read(&list)?)
            .map_err(|e| Failure::environment(format!("{}: {e}", list.display())))?;
        text.push_str(&format!(
            "\nList of what is revoked: number {number}, the next one is due {}\n",
            ca::date_and_time(next)
        ));
    }
    let now = now()?;
    let index = store.index()?;
    text.push_str(&format!("\nIssued: {}\n", index.0.len()));
    for Entry { until, revoked, serial, subject } in &index.0 {
        let until_text = ca::date_and_time(*until);
        let status = match revoked {
            Some((since, reason)) => format!("revoked since {}: {reason}", ca::date_and_time(*since)),
            None if *until < now => format!("expired {until_text}"),
            None => format!("valid until {until_text}"),
        };
        text.push_str(&format!("  {serial}  {subject}  {status}\n"));
    }
    Ok(text)
}
