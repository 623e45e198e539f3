//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use septet_sweep::{Axis, Seeds};

use crate::ca::args::CaCommand;
use crate::convert::ConvertArgs;
use crate::keep::Kind;
use crate::keys::KeysCommand;
use crate::limits::Memory;
use crate::live::args::LiveCommand;
use crate::report::StoryLength;
use crate::sniff::SniffArgs;

/// A whole network in one process: seven storeys, real bytes, virtual time.
#[derive(Debug, Parser)]
#[command(name = "septet", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Results go to stdout, everything else to stderr.\n\nExit codes:\n  \
    0    all is well\n  \
    1    an expectation failed, or a run or a conversion could not come to its end\n  \
    2    the command line is wrong\n  \
    3    a lab is not valid\n  \
    4    the environment is in the way: a file cannot be read or written\n  \
    70   a bug in septet\n  \
    130  interrupted")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play a lab in virtual time and tell what happened
    Run(RunArgs),
    /// Find a seed with which a lab fails, and the fewest faults and the shortest run that still do
    Hunt(HuntArgs),
    /// Say what is wrong with lab files, and run nothing
    Check(CheckArgs),
    /// List what a lab file can name: programs, controllers, queues, faults, metrics
    List(ListArgs),
    /// Measure what Septet costs on this machine
    Bench(BenchArgs),
    /// Measure what system calls, context switches, copies and wake-ups cost on this machine, as keys of a lab file
    Calibrate,
    /// Serve for `septet bench io`
    #[command(name = "__io-server", hide = true)]
    IoServer(IoServerArgs),
    /// Measure what a course says of bits, checks and repetition
    #[command(subcommand)]
    Study(StudyCommand),
    /// Draw metrics of a run over time (SVG)
    Plot(PlotArgs),
    /// Convert text from one character set to another: EBCDIC, Unicode, the encodings of the web
    Convert(ConvertArgs),
    /// Say what files are by their first bytes, as a browser does
    Sniff(SniffArgs),
    /// Be a certificate authority: certificates, requests, revocation, on files
    #[command(subcommand)]
    Ca(CaCommand),
    /// Show what keys do, and what they cost
    #[command(subcommand)]
    Keys(KeysCommand),
    #[command(flatten)]
    Live(LiveCommand),
    /// Print the JSON Schema of lab files
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The lab file
    pub(crate) lab: PathBuf,
    /// Keep what comes out in this directory: summary.json, trace.pcapng, events, metrics.csv, output, ca.pem and the lab
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Keep only this of one run: summary,capture,events,metrics,output,ca,lab (repeat, or separate by commas)
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',', requires = "output", conflicts_with = "seeds")]
    pub(crate) keep: Vec<Kind>,
    /// The seed of every random stream, instead of the lab's
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Run once with each of these seeds: 1..200, or 1..10,42
    #[arg(long, value_name = "SEEDS", conflicts_with_all = ["seed", "story", "capture"])]
    pub(crate) seeds: Option<Seeds>,
    /// Set a key of the lab; run once with each of several values: media.wan.loss=0%,0.5%,2%
    #[arg(long, value_name = "KEY=VALUES")]
    pub(crate) set: Vec<Axis>,
    /// Of several runs show a table, one row a cell of the grid, with the medians of these: expectations, or metrics such as
    /// client.http.time.p99 (repeat, or separate by commas)
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', conflicts_with = "json")]
    pub(crate) table: Vec<String>,
    /// How many runs at a time, where there are several; as many as there are processors, unless set
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// End with exit code 1 when the process takes more memory; three quarters of the machine's, unless set
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Memory>,
    /// Go on with the runs that are kept in the output directory
    #[arg(long, requires = "output")]
    pub(crate) resume: bool,
    /// How much of the run is told
    #[arg(long, value_enum, default_value_t = StoryLength::Short)]
    pub(crate) story: StoryLength,
    /// Capture only these ports, as node or node:port (repeat, or separate by commas). A frame is captured where it is
    /// first seen; with `all`, at each port that it passes
    #[arg(long, value_name = "PORT", value_delimiter = ',', requires = "output")]
    pub(crate) capture: Vec<String>,
    /// Capture only the first BYTES of each frame, as tcpdump -s
    #[arg(long, value_name = "BYTES", requires = "output")]
    pub(crate) snaplen: Option<u32>,
    /// Show the bits and the waveform of a frame: r1->r2 for the first on that link, r1->r2#3 for the third, a--s1@1.5s for
    /// the first from that time on (repeat); with -o also drawn, as frame-1.svg
    #[arg(long, value_name = "FRAME", conflicts_with_all = ["seeds", "json"])]
    pub(crate) bits: Vec<String>,
    /// Print JSON instead of words: one object, or one a run
    #[arg(long, conflicts_with = "story")]
    pub(crate) json: bool,
    /// Print nothing but expectations that failed
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HuntArgs {
    /// The lab file
    pub(crate) lab: PathBuf,
    /// The seeds to play it with: 1..200, or 1..10,42
    #[arg(long, value_name = "SEEDS", default_value = "1..100")]
    pub(crate) seeds: Seeds,
    /// Set a key of the lab; of several values all are tried: media.wan.loss=0%,0.5%,2%
    #[arg(long, value_name = "KEY=VALUES")]
    pub(crate) set: Vec<Axis>,
    /// Keep what is found in this directory: lab.toml with the faults and the end that are enough, trace.pcapng, story.txt,
    /// events, metrics.csv, summary.json, output and ca.pem
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// How many runs at a time; as many as there are processors, unless set
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// End with exit code 1 when the process takes more memory; three quarters of the machine's, unless set
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Memory>,
    /// Print one JSON object instead of words
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The lab files
    #[arg(required = true, value_name = "LAB")]
    pub(crate) labs: Vec<PathBuf>,
    /// Print one JSON object a lab instead of words
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// One kind of thing; all where none is given
    pub(crate) kind: Option<String>,
    /// Print one JSON object a thing instead of words
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlotArgs {
    /// What `septet run -o DIR` kept, or its metrics.csv
    #[arg(value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// What to draw, as node and metric: sender.tcp.cwnd. Without any, those that there are get listed
    #[arg(value_name = "METRIC")]
    pub(crate) metrics: Vec<String>,
    /// Draw into this file; to stdout, unless set
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What to call it, instead of by the lab's name
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// A logarithmic vertical axis
    #[arg(long)]
    pub(crate) log: bool,
    /// Add up the samples, as is done with counters anyway
    #[arg(long, conflicts_with = "rate")]
    pub(crate) sum: bool,
    /// The sum of the samples of each span, a second: 500ms
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(crate) rate: Option<Duration>,
    /// Draw from here
    #[arg(long, value_name = "TIME", value_parser = septet_lab::parse_time)]
    pub(crate) from: Option<Duration>,
    /// Draw up to here
    #[arg(long, value_name = "TIME", value_parser = septet_lab::parse_time)]
    pub(crate) until: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StudyCommand {
    /// Utilisation of a noisy line under three schemes of ARQ, against the textbook formulas
    Arq {
        /// Draw it into this file (SVG)
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Frames a point
        #[arg(long, value_name = "N", default_value_t = 20_000)]
        frames: u64,
        /// The seed of the losses
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
    /// What parity, checksums and CRCs miss
    Checks {
        /// Octets a word
        #[arg(long, value_name = "N", default_value_t = 60)]
        octets: usize,
        /// Damaged words of each kind
        #[arg(long, value_name = "N", default_value_t = 100_000)]
        tries: u64,
        /// The seed of the damage
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
    /// A frame as bits and waveform
    Line {
        /// The frame in hexadecimal digits, without its FCS
        #[arg(value_name = "HEX")]
        frame: String,
        /// Only this PHY: 10base-t, 100base-tx or 1000base-x
        #[arg(long, value_name = "NAME")]
        phy: Option<String>,
        /// How many octets are shown
        #[arg(long, value_name = "N", default_value_t = 8)]
        octets: usize,
        /// The width of the picture
        #[arg(long, value_name = "N", default_value_t = 96)]
        columns: usize,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The workloads; all where none is given, but for `io`
    #[arg(value_name = "WORKLOAD")]
    pub(crate) workloads: Vec<String>,
    /// Print one JSON object a workload instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// Name the workloads, and run none
    #[arg(long)]
    pub(crate) list: bool,
    /// The seed of their worlds
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How much of each is done, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    pub(crate) scale: f64,
    /// Of `io`: how many connections there are at once, one measurement each
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,10,100,1000,10000")]
    pub(crate) connections: Vec<usize>,
    /// Of `io`: requests of each measurement
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) requests: usize,
    /// Of `io`: draw the figures here, as SVG
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// A server of `septet bench io`.
#[derive(Debug, Args)]
pub(crate) struct IoServerArgs {
    pub(crate) style: String,
    pub(crate) protocol: String,
}

/// A span of time that is not nothing.
fn span(text: &str) -> Result<Duration, String> {
    match septet_lab::parse_time(text)? {
        Duration::ZERO => Err("a span must be longer than nothing".into()),
        span => Ok(span),
    }
}
