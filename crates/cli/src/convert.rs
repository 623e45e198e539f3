//! `septet convert`: from one character set to another, as it comes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use septet_language::nearest::nearest;
use septet_presentation::charset::{Charset, Converter, Nel, Unmappable};

use crate::exit::{Exit, Failure};
use crate::terminal::Stdout;

/// So much is read at a time.
const PIECE: usize = 64 * 1024;

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// The file; standard input where there is none, or where it is `-`
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The character set that it is in: cp037, latin1, euc-kr, utf-16le, …
    #[arg(short, long, value_name = "NAME", default_value = "utf-8", value_parser = charset)]
    from: Charset,
    /// The character set to write
    #[arg(short, long, value_name = "NAME", default_value = "utf-8", value_parser = charset)]
    to: Charset,
    /// What becomes of what cannot be converted
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Policy::Error)]
    unmappable: Policy,
    /// What NEL (0x15) and LF (0x25) of EBCDIC are
    #[arg(long, value_enum, value_name = "HOW", default_value_t = NelPolicy::AsIs)]
    nel: NelPolicy,
    /// Name the character sets, and convert nothing
    #[arg(short, long, exclusive = true)]
    list: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Policy {
    /// An error that names its place; what stands before it is written
    Error,
    /// SUB (0x3f) in EBCDIC, U+FFFD in Unicode, a question mark elsewhere
    Replace,
    /// \\u{20ac} for a character, \\xff for an octet
    Escape,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum NelPolicy {
    /// NEL is U+0085 and LF is U+000A, as iconv has it
    AsIs,
    /// NEL ends lines, as on z/OS: it is U+000A, and LF is U+0085
    LineFeed,
}

/// The character set of a name.
fn charset(name: &str) -> Result<Charset, String> {
    Charset::find(name).ok_or_else(|| {
        let near = nearest(name, Charset::all().map(Charset::name));
        let hint = near.map(|near| format!("; do you mean `{near}`?")).unwrap_or_default();
        format!("no character set is called `{name}`{hint} `septet convert --list` has them all")
    })
}

pub(crate) fn convert(args: &ConvertArgs) -> Result<Exit, Failure> {
    let mut out = Stdout::new();
    if args.list {
        list(&mut out).and_then(|()| out.flush()).map_err(Failure::stdout)?;
        return Ok(Exit::Ok);
    }
    if args.nel == NelPolicy::LineFeed && !args.from.is_ebcdic() && !args.to.is_ebcdic() {
        let (from, to) = (args.from.name(), args.to.name());
        return Err(Failure::usage(format!("--nel is about EBCDIC, and neither {from} nor {to} is")));
    }
    match args.file.as_deref().filter(|path| *path != Path::new("-")) {
        None => filter(args, io::stdin().lock(), Path::new("standard input"), &mut out),
        Some(path) => {
            let file = File::open(path).map_err(|e| Failure::file("read", path, &e))?;
            filter(args, file, path, &mut out)
        }
    }
}

fn filter(args: &ConvertArgs, mut input: impl Read, name: &Path, out: &mut Stdout) -> Result<Exit, Failure> {
    let unmappable = match args.unmappable {
        Policy::Error => Unmappable::Error,
        Policy::Replace => Unmappable::Replace,
        Policy::Escape => Unmappable::Escape,
    };
    let nel = match args.nel {
        NelPolicy::AsIs => Nel::AsIs,
        NelPolicy::LineFeed => Nel::LineFeed,
    };
    let mut converter = Converter::new(args.from, args.to, nel, unmappable);
    let (mut piece, mut converted) = (vec![0; PIECE], Vec::new());
    loop {
        let read = match input.read(&mut piece) {
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Failure::file("read", name, &e)),
        };
        let outcome = match read {
            0 => converter.finish(&mut converted),
            read => converter.push(&piece[..read], &mut converted),
        };
        // Whoever reads this may wait for it: nothing is held back.
        out.write_all(&converted).and_then(|()| out.flush()).map_err(Failure::stdout)?;
        converted.clear();
        outcome.map_err(|mistake| Failure::run(format!("{}: {mistake}", name.display())))?;
        if read == 0 || out.is_closed() {
            return Ok(Exit::Ok);
        }
    }
}

fn list(out: &mut impl Write) -> io::Result<()> {
    let width = Charset::all().map(|charset| charset.name().len()).max().unwrap_or(0);
    Charset::all().try_for_each(|charset| writeln!(out, "{:width$}  {}", charset.name(), charset.meaning()))
}
