//! One frame on its line: what each octet is, its bits and its code, and the waveform, as text and as a drawing.

use core::fmt::Write as _;

use septet_datalink::hdlc;
use septet_physical::line_code::{Level, waveform};
use septet_physical::phy::{Phy, What};

/// How a line carries frames.
#[derive(Clone, Copy, Debug)]
pub enum Carried {
    /// As this PHY does.
    Phy(&'static Phy),
    /// In HDLC framing, the octets bit by bit as NRZ; their lowest bit goes first (RFC 1662 §1).
    Serial,
}

/// A frame that is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What it is, in a line.
    pub title: String,
    /// How it is carried.
    pub carried: Carried,
    /// Its octets: with a PHY with the FCS, on a serial line from flag to flag.
    pub octets: Vec<u8>,
}

/// A part of the line, ready to be drawn.
struct Piece {
    name: String,
    octet: Option<u8>,
    kind: Kind,
    /// Its line symbols.
    levels: Vec<Level>,
    code: String,
    /// Captions by symbol.
    captions: Vec<(usize, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Around,
    Header,
    Payload,
    Check,
}

impl Shown {
    /// A frame as a station hands it to its port: the PHY adds the frame check sequence, a serial line nothing.
    pub fn of(title: String, carried: Carried, frame: &[u8]) -> Self {
        let mut octets = frame.to_vec();
        if matches!(carried, Carried::Phy(_)) {
            octets.extend(crc32fast::hash(frame).to_le_bytes());
        }
        Self { title, carried, octets }
    }

    /// The frame as text, in rows of at most `columns` columns: of its octets the first `most`, and the last four.
    pub fn text(&self, most: usize, columns: usize) -> String {
        let pieces = self.pieces();
        let code = match self.carried {
            Carried::Phy(phy) => {
                format!("{} ({}), {} line symbols", phy.name, phy.code, phy.symbols(self.octets.len()))
            }
            Carried::Serial => format!("serial (NRZ), {} bits", self.octets.len() * 8),
        };
        let mut text = format!("{}\n{code}\n\n  octet  bits, first to last  code\n", self.title);
        let listed = self.listed(&pieces, most);
        let mut before = None;
        for &at in &listed {
            if before.is_some_and(|before| before + 1 != at) {
                let _ = writeln!(text, "     …  {} more", at - before.unwrap_or(0) - 1);
            }
            before = Some(at);
            let piece = &pieces[at];
            let (hex, bits) = match piece.octet {
                Some(octet) => (format!("{octet:02x}"), bits_of(octet)),
                None => ("--".to_owned(), String::new()),
            };
            let _ = writeln!(text, "     {hex}  {bits:<19}  {:<23}  {}", piece.code, piece.name);
        }
        let mut run: Vec<&Piece> = Vec::new();
        for (i, &at) in listed.iter().enumerate() {
            run.push(&pieces[at]);
            if listed.get(i + 1) != Some(&(at + 1)) {
                text.push('\n');
                text.push_str(&draw(&run, columns));
                run.clear();
            }
        }
        text
    }

    /// The whole frame as a drawing (SVG).
    pub fn svg(&self) -> String {
        /// An octet with its name.
        const PIECE: f64 = 100.0;
        const HEIGHT: f64 = 84.0;
        const LEFT: f64 = 16.0;
        let pieces = self.pieces();
        let per_row = 10;
        let step = PIECE / pieces.iter().map(|piece| piece.levels.len()).max().unwrap_or(1) as f64;
        let (width, rows) = (LEFT * 2.0 + PIECE * per_row as f64, pieces.len().div_ceil(per_row));
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {}\" font-family=\"monospace\" \
             font-size=\"11\" role=\"img\" aria-label=\"{title}\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n",
            36.0 + rows as f64 * HEIGHT,
            title = escaped(&self.title)
        );
        let mut last = Level::Low;
        for (row, pieces) in pieces.chunks(per_row).enumerate() {
            let top = 40.0 + row as f64 * HEIGHT;
            let at = |level| match level {
                Level::High => top + 32.0,
                Level::Zero => top + 44.0,
                Level::Low => top + 56.0,
            };
            let mut x = LEFT;
            let mut path = format!("M{x} {}", at(last));
            for piece in pieces {
                let colour = piece.kind.colour();
                let wide = piece.levels.len() as f64 * step;
                let hex = piece.octet.map(|octet| format!("{octet:02x} ")).unwrap_or_default();
                let _ = writeln!(
                    out,
                    "<rect x=\"{x}\" y=\"{top}\" width=\"{wide}\" height=\"72\" fill=\"{colour}\" fill-opacity=\"0.12\" \
                     stroke=\"white\"/><text x=\"{}\" y=\"{}\" fill=\"{colour}\">{hex}{}</text>",
                    x + 3.0,
                    top + 13.0,
                    escaped(&piece.name)
                );
                for (symbol, caption) in &piece.captions {
                    let _ = writeln!(
                        out,
                        "<text x=\"{}\" y=\"{}\" font-size=\"9\" fill=\"#555555\">{}</text>",
                        x + *symbol as f64 * step + 2.0,
                        top + 68.0,
                        escaped(caption)
                    );
                }
                for &level in &piece.levels {
                    if level != last {
                        let _ = write!(path, "V{}", at(level));
                    }
                    x += step;
                    let _ = write!(path, "H{x}");
                    last = level;
                }
            }
            let _ = writeln!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"black\" stroke-width=\"1.3\"/>");
        }
        out.push_str("</svg>\n");
        out
    }

    /// The pieces of which text speaks: those around the frame, its first `most` octets and its last four.
    fn listed(&self, pieces: &[Piece], most: usize) -> Vec<usize> {
        let first = pieces.iter().position(|piece| piece.kind != Kind::Around).unwrap_or(0);
        let until = first + most;
        let last = pieces.iter().rposition(|piece| piece.kind != Kind::Around).map_or(0, |last| last.saturating_sub(3));
        // Of the preamble one octet is enough.
        let from = first.saturating_sub(2);
        (from..pieces.len()).filter(|at| *at < until || *at >= last).collect()
    }

    fn pieces(&self) -> Vec<Piece> {
        match self.carried {
            Carried::Phy(phy) => self.pieces_of(phy),
            Carried::Serial => self.serial_pieces(),
        }
    }

    fn pieces_of(&self, phy: &Phy) -> Vec<Piece> {
        let levels = phy.transmit(&self.octets);
        let mut pieces = Vec::new();
        for part in phy.parts(&self.octets) {
            let (kind, name) = match part.what {
                What::Preamble => (Kind::Around, "preamble".to_owned()),
                What::Start if part.octet.is_some() => (Kind::Around, "SFD".to_owned()),
                What::Start => (Kind::Around, "start of stream".to_owned()),
                What::End => (Kind::Around, "end of stream".to_owned()),
                What::Octet(n) => self.ethernet_field(n),
            };
            let groups: Vec<&str> = part.code.split(' ').collect();
            let step = part.symbols / groups.len().max(1);
            let captions = match part.octet {
                // Two half bits a bit: the bit is caption enough.
                Some(octet) if groups.len() == 8 => {
                    (0..8).map(|bit| (bit * step, (octet >> bit & 1).to_string())).collect()
                }
                _ => groups.iter().enumerate().map(|(i, group)| (i * step, (*group).to_owned())).collect(),
            };
            pieces.push(Piece {
                name,
                octet: part.octet,
                kind,
                levels: levels[part.at..part.at + part.symbols].to_vec(),
                code: part.code,
                captions,
            });
        }
        pieces
    }

    fn ethernet_field(&self, n: usize) -> (Kind, String) {
        let name = |kind, name: &str| (kind, name.to_owned());
        if n + 4 >= self.octets.len() {
            return name(Kind::Check, "FCS");
        }
        match n {
            0..6 => name(Kind::Header, "destination"),
            6..12 => name(Kind::Header, "source"),
            12..14 => match self.octets.get(12).is_some_and(|high| *high < 6) {
                true => name(Kind::Header, "length"),
                false => name(Kind::Header, "type"),
            },
            _ => (Kind::Payload, format!("payload {}", n - 14)),
        }
    }

    fn serial_pieces(&self) -> Vec<Piece> {
        let mut escaped = false;
        let mut pieces = Vec::new();
        for &octet in &self.octets {
            let (kind, name) = match octet {
                hdlc::FLAG => (Kind::Around, "flag".to_owned()),
                hdlc::ESCAPE => (Kind::Payload, "control escape".to_owned()),
                _ if escaped => (Kind::Payload, format!("{:02x}, escaped", octet ^ 0x20)),
                _ => (Kind::Payload, String::new()),
            };
            escaped = octet == hdlc::ESCAPE;
            let bits: Vec<bool> = (0..8).map(|bit| octet >> bit & 1 == 1).collect();
            pieces.push(Piece {
                name,
                octet: Some(octet),
                kind,
                levels: bits.iter().map(|&bit| if bit { Level::High } else { Level::Low }).collect(),
                code: String::new(),
                captions: bits.iter().enumerate().map(|(i, &bit)| (i, u8::from(bit).to_string())).collect(),
            });
        }
        pieces
    }
}

impl Kind {
    /// Colours that the colour-blind can tell apart (Okabe and Ito).
    const fn colour(self) -> &'static str {
        match self {
            Self::Around => "#555555",
            Self::Header => "#0072b2",
            Self::Payload => "#009e73",
            Self::Check => "#d55e00",
        }
    }
}

fn draw(pieces: &[&Piece], columns: usize) -> String {
    let mut captions = std::collections::BTreeMap::new();
    let mut levels = Vec::new();
    for piece in pieces {
        captions.extend(piece.captions.iter().map(|(at, caption)| (levels.len() + at, caption.as_str())));
        levels.extend_from_slice(&piece.levels);
    }
    waveform::draw(&levels, 2, columns, |symbol| captions.get(&symbol).copied().unwrap_or_default().to_owned())
}

/// The bits in the order in which they are sent: the lowest first (IEEE 802.3 §3.3).
fn bits_of(octet: u8) -> String {
    (0..8).map(|bit| if octet >> bit & 1 == 1 { '1' } else { '0' }).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> Shown {
        let body: Vec<u8> = (0..60).collect();
        let octets = [&body[..], &crc32fast::hash(&body).to_le_bytes()].concat();
        Shown { title: "a -> b".to_owned(), carried: Carried::Phy(Phy::find(name).unwrap()), octets }
    }

    #[test]
    fn text_names_the_fields_and_draws_the_waveform() {
        let text = shown("10base-t").text(14, 96);
        for line in ["     d5  10101011             01 10 01 10 01 10 01 01  SFD", "     …  46 more"] {
            assert!(text.contains(line), "{text}");
        }
        assert_eq!(text.matches("  FCS").count(), 4);
        assert_eq!(text.matches("destination").count(), 6);
        assert!(text.contains('┌') && text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn a_drawing_has_every_octet() {
        for phy in septet_physical::phy::TABLE {
            let svg = shown(phy.name).svg();
            assert!(svg.contains("aria-label=\"a -&gt; b\"") && svg.ends_with("</svg>\n"));
            assert_eq!(svg.matches(">payload").count() + svg.matches(" payload").count(), 46, "{}", phy.name);
        }
    }

    #[test]
    fn a_serial_line_shows_flags_and_escapes() {
        let octets = hdlc::encode(&[0xff, 0x03, 0x7e], hdlc::Fcs::Sixteen, hdlc::Accm::ALL);
        let text = Shown { title: "serial".to_owned(), carried: Carried::Serial, octets }.text(20, 96);
        assert_eq!(text.matches("  flag").count(), 2);
        assert!(text.contains("control escape") && text.contains("7e, escaped"), "{text}");
    }
}
