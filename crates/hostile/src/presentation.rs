//! Storey 6 takes any octets: as text of any character set, as a resource of any type, as compressed data, as a message.

use septet_presentation::charset::{Charset, CodePage, Converter, Mistake, Nel, Unmappable};
use septet_presentation::compression::{self, Coding, Decoder, Limits as Most, What};
use septet_presentation::mime::{self, Content, Entity, Limits};
use septet_presentation::sniff::{self, Apache, NoSniff, Supplied};

use crate::pieces::pieces;

/// Any octets as any character set into any other, however they are cut; of a code page, there and back.
pub fn charset(bytes: &[u8]) {
    for page in CodePage::ALL.map(Charset::Page) {
        for nel in [Nel::AsIs, Nel::LineFeed] {
            let text = convert(page, Charset::UTF_8, nel, Unmappable::Error, bytes, usize::MAX);
            let text = text.expect("every octet is a character");
            let back = convert(Charset::UTF_8, page, nel, Unmappable::Error, &text, usize::MAX);
            assert_eq!(back.as_deref(), Ok(bytes), "{page:?} there and back");
        }
    }
    let sets: Vec<Charset> = Charset::all().collect();
    let (first, second) = (bytes.first().copied().unwrap_or(0), bytes.get(1).copied().unwrap_or(0));
    let (from, to) = (sets[usize::from(first) % sets.len()], sets[usize::from(second) % sets.len()]);
    for (from, to) in [(from, to), (Charset::UTF_8, to)] {
        for unmappable in [Unmappable::Error, Unmappable::Replace, Unmappable::Escape] {
            let whole = convert(from, to, Nel::AsIs, unmappable, bytes, usize::MAX);
            assert!(unmappable == Unmappable::Error || whole.is_ok(), "{whole:?}");
            if let Err(mistake) = &whole {
                assert!(mistake.offset <= bytes.len() as u64 && mistake.line > 0, "{mistake:?}");
            }
            let cut = convert(from, to, Nel::AsIs, unmappable, bytes, 3);
            assert_eq!(cut, whole, "{from:?} to {to:?}, {unmappable:?}: cutting changes something");
        }
    }
}

fn convert(
    from: Charset,
    to: Charset,
    nel: Nel,
    unmappable: Unmappable,
    bytes: &[u8],
    cut: usize,
) -> Result<Vec<u8>, Mistake> {
    let mut out = Vec::new();
    let mut converter = Converter::new(from, to, nel, unmappable);
    bytes.chunks(cut).try_for_each(|piece| converter.push(piece, &mut out))?;
    converter.finish(&mut out)?;
    Ok(out)
}

/// A resource, and what a server says of it.
pub fn sniffing(bytes: &[u8]) {
    for piece in pieces(bytes) {
        let said = ["text/html", "text/plain", "image/png", "audio/mpeg", "image/svg+xml", "*/*", "font/woff"];
        let essence = said.get(usize::from(piece.what) % 8).copied();
        let no_sniff = if piece.wait & 1 == 0 { NoSniff::Unset } else { NoSniff::Set };
        let apache = if piece.wait & 2 == 0 { Apache::Unset } else { Apache::Set };
        let found = sniff::sniff(piece.content, &Supplied { essence, no_sniff, apache });
        assert!(found.contains('/'), "{found}");
        let scripts = ["text/html", "application/pdf", "text/xml"];
        if essence == Some("text/plain") {
            assert!(!scripts.contains(&found), "text is taken for {found}");
        }
        let _ = sniff::image(piece.content, "image/png");
        let _ = sniff::media(piece.content, "video/mp4");
        let _ = sniff::font(piece.content, "font/ttf");
    }
}

/// Compressed data of each coding, whole and in pieces: the same comes out, no more than may, and what comes out comes back.
pub fn decompression(bytes: &[u8]) {
    const MOST: u64 = 1 << 20;
    let limits = Most { output: MOST, ratio: 1000, slack: 1 << 16 };
    for coding in Coding::ALL {
        let whole = compression::decompress(coding, bytes, limits);
        let mut decoder = Decoder::new(coding, limits);
        let (mut cut, mut out) = (Vec::new(), [0; 61]);
        let mut pieces = bytes.chunks(3).chain([&[][..]]);
        let ended = pieces.try_for_each(|mut piece| {
            loop {
                let step = decoder.step(piece, &mut out)?;
                cut.extend_from_slice(&out[..step.written]);
                piece = &piece[step.read..];
                if piece.is_empty() && step.written < out.len() {
                    return Ok(());
                }
            }
        });
        let ended = ended.and_then(|()| decoder.finish());
        assert!(cut.len() as u64 <= MOST + out.len() as u64, "{coding:?} gives {} octets", cut.len());
        match whole {
            Ok(whole) => {
                assert_eq!(ended, Ok(()), "{coding:?}: cutting changes something");
                assert_eq!(cut, whole, "{coding:?}: cutting changes something");
                let again = compression::decompress(coding, &compression::compress(coding, &whole), Most::NONE);
                assert_eq!(again, Ok(whole), "{coding:?} there and back");
            }
            Err(fault) => {
                assert!(ended.is_err(), "{coding:?}: whole it is wrong: {fault}");
                assert!(fault.offset <= bytes.len() as u64, "{fault}");
                assert!(fault.what != What::Truncated || fault.offset == bytes.len() as u64, "{fault}");
            }
        }
    }
}

/// A message: it is taken apart within its bounds, or told with a place that there is.
pub fn message(bytes: &[u8]) {
    let limits = Limits { depth: 5, parts: 40, header: 4096, size: 1 << 16 };
    match mime::read(bytes, &limits) {
        Ok(entity) => {
            let mut parts = 0;
            whole(&entity, bytes, 0, &mut parts);
            assert!(parts <= limits.parts, "{parts} parts");
        }
        Err(fault) => assert!(fault.offset <= bytes.len() && fault.line > 0, "{fault}"),
    }
}

fn whole(entity: &Entity, bytes: &[u8], depth: usize, parts: &mut usize) {
    *parts += 1;
    assert!(depth <= 5 && entity.offset <= bytes.len());
    let _ = (entity.name(), entity.text());
    match &entity.content {
        Content::Octets(octets) => assert!(octets.len() <= bytes.len()),
        Content::Parts(inner) => inner.iter().for_each(|part| whole(part, bytes, depth + 1, parts)),
        Content::Message(inner) => whole(inner, bytes, depth + 1, parts),
    }
}
